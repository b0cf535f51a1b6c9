"""Runs a configured pipeline for a person: progress, Ctrl-C, the account at the end, the report file."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import click

from pipeline.assembly import Pipeline, assemble
from pipeline.config import PipelineConfig
from pipeline.interrupt import interruptible
from pipeline.progress import progress
from pipeline.report import Report
from stages.errors import ConfigError, LumabraidError

_STATS_INTERVAL_S: Final = 1.0


def execute(config: PipelineConfig, *, title: str, stats: bool = False) -> Report:
    """Run to the end, show progress while it runs and the account after it, and write the report.

    Args:
        config: the pipeline.
        title: what the progress is labelled with.
        stats: print the report as a line of JSON every second and at the end, and nothing else on stdout.

    Raises:
        LumabraidError: the first error of the run; what was kept has been told.
        click.Abort: it was interrupted; what was kept has been told.
    """
    if config.report is not None and not config.report.absolute().parent.is_dir():
        raise ConfigError(f"report folder {config.report.absolute().parent} does not exist; create it first")
    failure: LumabraidError | None = None
    lines = _StatsLines()
    with progress(title) as bar:

        def show(report: Report) -> None:
            account = report.account
            ended = account.fused + account.dropped_total + account.failed_total
            note = "finishing; Ctrl-C again stops at once" if report.state == "stopping" else ""
            speed = report.fps * ended / account.fused if account.fused else 0.0
            bar.show(ended, pipeline.frame_count, speed, note)
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
    if stats:
        lines.end(report)
    elif report.account.fused or failure is None:
        for line in account_lines(report):
            click.echo(line)
    if config.report is not None:
        _write_json(config.report, report.to_dict())
    if failure is not None:
        raise failure
    if report.state != "complete":
        raise click.Abort
    return report


def account_lines(report: Report) -> Iterator[str]:
    """What became of the frames, for a person."""
    account = report.account
    counts = f"{account.fused} of {account.captured} frames fused in {report.wall_s:.1f} s, {report.fps:.1f} fps"
    output = report.extra["output"]
    yield f"{output}: {counts}" if output else counts
    exposures = report.extra["exposures"]
    if isinstance(exposures, dict):
        ratio = exposures["ratio_stops"]
        spread = f" ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio["max"] > ratio["min"] else ""
        yield (
            f"  exposures: {exposures['under']} under, {exposures['over']} over, "
            f"{ratio['median']:.2f} stops apart{spread}"
        )
    published = report.extra["published"]
    if isinstance(published, dict):
        counts = ", ".join(f"{count} on {topic}" for topic, count in published.items() if count)
        yield f"  published: {counts or 'nothing, for nobody subscribed'}"
    for stage, reasons in account.dropped.items():
        for reason, count in reasons.items():
            yield f"  dropped in {stage}: {count} ({reason})"
    for reason, count in account.failed.items():
        yield f"  failed: {count} ({reason})"


class _StatsLines:
    """Reports as lines of JSON on stdout."""

    def __init__(self) -> None:
        self._due_s = time.monotonic() + _STATS_INTERVAL_S

    def show(self, report: Report) -> None:
        """Print it, unless the last one is less than a second old."""
        if time.monotonic() >= self._due_s:
            self._due_s += _STATS_INTERVAL_S
            self.end(report)

    def end(self, report: Report) -> None:
        """Print the last one."""
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))


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
    return {
        "input": pipeline.sink.stream.name if pipeline.sink.stream else None,
        "output": getattr(config.encoding, "output", None) if pipeline.sink.complete and written else None,
        "published": None if pipeline.publisher is None else dict(pipeline.publisher.published),
        "exposures": pipeline.sink.exposures(),
        "model": getattr(config.fusion, "model", config.fusion.kind),
        "device": _device(config),
    }


def _device(config: PipelineConfig) -> str:
    """Where fusion computes."""
    name = getattr(config.fusion, "device", None)
    if name != "auto":
        return str(name or "cpu")
    from stages.fusion.fuser import choose_device

    return choose_device(name).type


def _write_json(path: Path, content: object) -> None:
    """Write beside the final name, then rename: a reader never sees half a report."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
