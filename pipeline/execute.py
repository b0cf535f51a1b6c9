"""Runs a configured pipeline for a person: progress, Ctrl-C, the account at the end, the report file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.assembly import Pipeline, assemble
from pipeline.config import PipelineConfig
from pipeline.interrupt import interruptible
from pipeline.progress import progress
from pipeline.report import Report
from stages.errors import ConfigError, LumabraidError


def execute(config: PipelineConfig, *, title: str) -> Report:
    """Run to the end, show progress while it runs and the account after it, and write the report.

    Args:
        config: the pipeline.
        title: what the progress is labelled with.

    Raises:
        LumabraidError: the first error of the run; what was kept has been told.
        click.Abort: it was interrupted; what was kept has been told.
    """
    if config.report is not None and not config.report.absolute().parent.is_dir():
        raise ConfigError(f"report folder {config.report.absolute().parent} does not exist; create it first")
    failure: LumabraidError | None = None
    with progress(title) as bar:

        def show(report: Report) -> None:
            account = report.account
            ended = account.fused + account.dropped_total + account.failed_total
            note = "finishing; Ctrl-C again stops at once" if report.state == "stopping" else ""
            speed = report.fps * ended / account.fused if account.fused else 0.0
            bar.show(ended, pipeline.frame_count, speed, note)

        pipeline = assemble(config, on_progress=show)
        with interruptible(pipeline.runner):
            try:
                pipeline.runner.run()
            except LumabraidError as error:
                failure = error
    report = pipeline.runner.report()
    report = dataclasses.replace(report, extra=_particulars(pipeline, config, written=report.account.fused > 0))
    if report.account.fused or failure is None:
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
    for stage, reasons in account.dropped.items():
        for reason, count in reasons.items():
            yield f"  dropped in {stage}: {count} ({reason})"
    for reason, count in account.failed.items():
        yield f"  failed: {count} ({reason})"


def _particulars(pipeline: Pipeline, config: PipelineConfig, *, written: bool) -> dict[str, object]:
    """What only the assembled pipeline knows, for the report."""
    return {
        "input": pipeline.sink.stream.name if pipeline.sink.stream else None,
        "output": config.encoding.output if pipeline.sink.complete and written else None,
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
