"""Runs a configured pipeline for a person: progress, Ctrl-C, the account at the end, the report file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from pipeline.assembly import Pipeline, assemble
from pipeline.config import PipelineConfig
from pipeline.interrupt import interruptible
from pipeline.progress import progress
from pipeline.report import Report
from stages.capture.locate import display_name, printable
from stages.errors import ConfigError, DamagedSourceError, LumabraidError


def execute(config: PipelineConfig, *, title: str) -> Report:
    """Run to the end, show progress while it runs and the account after it, and write the report.

    Args:
        config: the pipeline.
        title: what the progress is labelled with.

    Raises:
        LumabraidError: the first error of the run; what was kept has been told.
        click.Abort: it was interrupted; what was kept has been told.
    """
    if config.report is not None:
        _check_report(config.report, taken=(_input(config), config.encoding.output))
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
    if isinstance(failure, DamagedSourceError):
        kept = (
            "the frames before it are fused and kept" if report.extra["output"] else "too little came before it to fuse"
        )
        raise DamagedSourceError(f"{failure}; {kept}") from failure
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
    yield f"{printable(str(output))}: {counts}" if output else counts
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
    stream = pipeline.sink.stream
    return {
        "input": stream.name if stream else display_name(_input(config) or "") or None,
        "output": config.encoding.output if pipeline.sink.complete and written else None,
        "exposures": pipeline.sink.exposures(),
        "model": getattr(config.fusion, "model", config.fusion.kind),
        "device": _device(config),
    }


def _input(config: PipelineConfig) -> str | None:
    """The path or URL the frames come from; None for a camera."""
    address: str | None = getattr(config.capture, "input", None)
    return address


def _check_report(path: Path, *, taken: Iterable[str | None]) -> None:
    """Refuse a report that cannot be written, or would take the place of the input or of the output.

    Raises:
        ConfigError: its folder is missing, or the name is taken.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"report folder {folder} does not exist; create it first")
    if path.is_dir():
        raise ConfigError(f"report {path} is a folder; give the name of a file")
    for other in map(Path, filter(None, taken)):
        if path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other)):
            raise ConfigError(f"report {path} would overwrite {other}; give another name")


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
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    # A file name that is not UTF-8 comes as lone surrogates, which are escaped in JSON.
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.replace(path)
