"""What a person sees of a run while it goes on: how far it is, or how it stands where it has no end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.assembly import Pipeline
from pipeline.config import PipelineConfig
from pipeline.live_view import LiveFigures, live_view
from pipeline.progress import progress
from pipeline.report import Report
from stages.preview.address import parse_address, url_of

Show = Callable[[Pipeline, Report], None]


@contextmanager
def run_view(config: PipelineConfig, title: str) -> Iterator[Show]:
    """Show a run while the block lasts; a pipeline that would rather skip frames than fall behind is a live one.

    Args:
        config: the pipeline's.
        title: what the run is labelled with.
    """
    if config.channels.policy == "block":
        with progress(title) as bar:

            def show_progress(pipeline: Pipeline, report: Report) -> None:
                account = report.account
                ended = account.fused + account.dropped_total + account.failed_total
                note = "finishing; Ctrl-C again stops at once" if report.state == "stopping" else ""
                speed = report.fps * ended / account.fused if account.fused else 0.0
                bar.show(ended, pipeline.frame_count, speed, note)

            yield show_progress
        return
    with live_view() as panel:

        def show_figures(pipeline: Pipeline, report: Report) -> None:
            bracket, stream = pipeline.source.bracket, pipeline.sink.stream
            panel.show(
                LiveFigures(
                    report=report,
                    title=title,
                    size=pipeline.sink.size or (None if stream is None else (stream.width, stream.height)),
                    ratio_stops=pipeline.sink.ratio_stops,
                    bracket=None if bracket is None else bracket.state,
                    outputs=tuple(outputs(pipeline, config)),
                )
            )

        yield show_figures


def outputs(pipeline: Pipeline, config: PipelineConfig) -> Iterator[tuple[str, str]]:
    """Where the frames go: what it is, and its address."""
    if pipeline.preview is not None:
        url = pipeline.preview.url or url_of(*parse_address(config.preview.address))
        yield "preview", " or ".join(dict.fromkeys([url, *pipeline.preview.urls_elsewhere]))
    if pipeline.window is not None:
        yield "window", "q or Esc in it ends the run"
    if pipeline.publisher is not None:
        yield "publish", pipeline.publisher.address or config.publishing.address
    for name in ("output", "folder"):
        if (where := getattr(config.encoding, name, None)) is not None:
            yield "record", str(where)
