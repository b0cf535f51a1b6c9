"""Runs a configured pipeline for a person: progress, Ctrl-C, the account at the end, the report file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from pipeline.assembly import Pipeline, assemble
from pipeline.config import PipelineConfig
from pipeline.interrupt import interruptible
from pipeline.output_file import check_output, write_output
from pipeline.report import Report
from pipeline.run_view import run_view
from pipeline.stats_lines import StatsLines
from stages.capture.locate import display_name, printable
from stages.errors import ConfigError, DamagedSourceError, LumabraidError, PairingError


def execute(config: PipelineConfig, *, title: str, stats: bool = False) -> Report:
    """Run to the end, show progress while it runs and the account after it, and write the report.

    Args:
        config: the pipeline.
        title: what the progress is labelled with.
        stats: print the report as a line of JSON every second and at the end, and nothing else on stdout. The run
            goes on without where that is closed or full.

    Raises:
        LumabraidError: the first error of the run; what was kept has been told.
        click.Abort: it was interrupted, how early if nothing came of it; what was kept has been told.
    """
    if config.report is not None:
        _check_report(config.report, taken=(_input(config), getattr(config.encoding, "output", None)))
    failure: LumabraidError | None = None
    lines = StatsLines()
    with run_view(config, title) as view:

        def show(report: Report) -> None:
            view(pipeline, report)
            if pipeline.window is not None and pipeline.window.closed_by_hand:
                pipeline.runner.stop()
            if stats:
                lines.show(report)

        pipeline = assemble(config, on_progress=show)
        with interruptible(pipeline.runner), _metrics(config, pipeline):
            try:
                pipeline.runner.run()
            except LumabraidError as error:
                failure = error
    report = pipeline.runner.report()
    report = dataclasses.replace(report, extra=_particulars(pipeline, config, written=report.account.fused > 0))
    try:
        # First: the account may have no reader any more.
        if config.report is not None:
            write_output(config.report, json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")
    finally:
        if stats:
            lines.end(report)
        elif report.account.fused or failure is None:
            for line in account_lines(report):
                click.echo(line)
    if isinstance(failure, DamagedSourceError):
        kept = "the frames before it are fused" if report.account.fused else "too little came before it to fuse"
        kept += " and kept" if report.extra["output"] else ""
        raise DamagedSourceError(f"{failure}; {kept}") from failure
    if isinstance(failure, PairingError) and pipeline.runner.stop_requested and _came_at_the_end(report):
        # So early that nobody can know what it would have become.
        why = "" if report.account.captured < 2 else f": {failure}"
        raise click.Abort(f"stopped before the first pair{why}") from failure
    if failure is not None:
        raise failure
    if report.state != "complete" and not (report.state == "stopped" and _ends_by_hand(pipeline)):
        raise click.Abort("" if report.account.captured else "stopped before the first frame")
    return report


def account_lines(report: Report) -> Iterator[str]:
    """What became of the frames, for a person."""
    account = report.account
    counts = f"{account.fused} of {account.captured} frames fused in {report.wall_s:.1f} s, {report.fps:.1f} fps"
    output = report.extra["output"]
    yield f"{printable(str(output))}: {counts}" if output else counts
    exposures = report.extra["exposures"]
    if isinstance(exposures, dict):
        ratio = exposures["ratio_stops"]
        spread = f" ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio["max"] > ratio["min"] else ""
        yield (
            f"  exposures: {exposures['under']} under, {exposures['over']} over, "
            f"{ratio['median']:.2f} stops apart{spread}"
        )
    source = report.extra["source"]
    if isinstance(source, dict) and any(source.values()):
        yield (
            f"  source: lost and found again {source['reconnections']} times, "
            f"{source['overrun']} frames overtaken before they were taken in"
        )
    recorded = report.extra["recorded"]
    if isinstance(recorded, dict):
        deleted = f", {recorded['deleted']} deleted to stay under the limit" if recorded["deleted"] else ""
        held_mb = recorded["held_bytes"] / 1e6
        yield f"  segments: {recorded['segments']} recorded{deleted}, {held_mb:.1f} MB in the folder"
    published = report.extra["published"]
    if isinstance(published, dict):
        counts = ", ".join(f"{count} on {topic}" for topic, count in published.items() if count)
        yield f"  published: {counts or 'nothing, for nobody subscribed'}"
    for stage, reasons in account.dropped.items():
        for reason, count in reasons.items():
            yield f"  dropped in {stage}: {count} ({reason})"
    for reason, count in account.failed.items():
        yield f"  failed: {count} ({reason})"


def _came_at_the_end(report: Report) -> bool:
    """Whether it failed when no more frames came, before anything was fused."""
    return report.failure is not None and report.failure.step == "flush" and not report.account.fused


def _ends_by_hand(pipeline: Pipeline) -> bool:
    """Whether being stopped is how such a run ends: its source has no end of its own, or its window was closed."""
    endless = pipeline.sink.stream is not None and pipeline.sink.stream.frame_count is None
    return endless or (pipeline.window is not None and pipeline.window.closed_by_hand)


def _metrics(config: PipelineConfig, pipeline: Pipeline) -> AbstractContextManager[None]:
    """Serves metrics if the configuration asks for them."""
    if config.metrics is None:
        return nullcontext()
    from pipeline.metrics import metrics_server

    publisher = pipeline.publisher
    return metrics_server(
        config.metrics, lambda: (pipeline.runner.report(), {} if publisher is None else dict(publisher.published))
    )


def _particulars(pipeline: Pipeline, config: PipelineConfig, *, written: bool) -> dict[str, object]:
    """What only the assembled pipeline knows, for the report."""
    stream = pipeline.sink.stream
    return {
        "input": stream.name if stream else display_name(_input(config) or "") or None,
        "output": _output(pipeline, config) if written else None,
        "source": _outages(pipeline),
        "recorded": None if pipeline.recorder is None else dataclasses.asdict(pipeline.recorder.recording),
        "published": None if pipeline.publisher is None else dict(pipeline.publisher.published),
        "exposures": pipeline.sink.exposures(),
        "model": getattr(config.fusion, "model", config.fusion.kind),
        "device": _device(config),
    }


def _outages(pipeline: Pipeline) -> dict[str, int] | None:
    """What a live source went through; None for one that is not supervised."""
    from stages.capture.supervised import SupervisedSource

    source = pipeline.source
    if not isinstance(source, SupervisedSource):
        return None
    return {"reconnections": source.reconnections, "overrun": source.overrun}


def _output(pipeline: Pipeline, config: PipelineConfig) -> str | None:
    """Where the frames went; None where nothing holds them."""
    if pipeline.recorder is not None:
        return pipeline.recorder.recording.folder
    output: str | None = getattr(config.encoding, "output", None)
    return output if pipeline.sink.complete else None


def _input(config: PipelineConfig) -> str | None:
    """The path or URL the frames come from; None for a camera."""
    address: str | None = getattr(config.capture, "input", None)
    return address


def _check_report(path: Path, *, taken: Iterable[str | None]) -> None:
    """Refuse a report that cannot be written, or would take the place of the input or of the output.

    Raises:
        ConfigError: its folder is missing or not writable, or the name is taken.
    """
    check_output(path, what="report")
    for other in map(Path, filter(None, taken)):
        if path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other)):
            raise ConfigError(f"report {path} would overwrite {other}; give another name")


def _device(config: PipelineConfig) -> str:
    """Where fusion computes."""
    name = getattr(config.fusion, "device", None)
    if name != "auto":
        return str(name or "cpu")
    from stages.device.choice import choose_device

    return choose_device(name).type
