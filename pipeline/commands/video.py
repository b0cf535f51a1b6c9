"""``lumabraid video``: a recorded clip in, a fused clip out."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline.commands import options

_PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
_NUMBERED = re.compile(r"%0?\d*d")


@click.command(
    name="video",
    epilog="""\b
Examples:
  lumabraid video clip.mp4 -o fused.mp4
  lumabraid video clip.mov -o fused.mp4 --codec h265 --crf 22 --report run.json
  lumabraid video 'shots/*.png' -o fused/%05d.png
  lumabraid video -o fused.mp4 -- -name-with-a-dash.mp4""",
)
@click.argument("source", metavar="INPUT")
@click.option(
    "-o",
    "--output",
    metavar="OUTPUT",
    callback=options.not_standard_output,
    help="Video file, folder, or pattern such as out/%05d.png.",
)
@options.model
@options.mode
@options.device
@click.option("--codec", help="h264 (default), h265, av1, ffv1 or prores.")
@click.option(
    "--crf", type=int, help="Quality of h264, h265 and av1; smaller is better and larger. [default: 18, 20, 25]"
)
@options.hardware
@options.report
@options.publishing
@options.stats
@options.overrides
def command(
    source: str,
    output: str | None,
    model: str | None,
    mode: str | None,
    device: str | None,
    codec: str | None,
    crf: int | None,
    hardware: str | None,
    report: Path | None,
    publish: str | None,
    keys: str | None,
    insecure: bool,
    stats: bool,
    overrides: tuple[str, ...],
) -> None:
    """Fuse a video whose frames alternate between a short and a long exposure.

    INPUT is a video file, a URL, a folder of pictures, or a pattern of them; pictures count as 25 a second, which
    `--set capture.frame_rate=30` changes. Every frame gets a fused one with the same time stamp; sound, subtitles,
    chapters and tags are carried over. OUTPUT appears under its name when it is complete; with --publish it may be
    left out. Ctrl-C finishes what was read until then; a second one stops at once.

    Everything else is set as in the preset `offline`; `lumabraid config show offline` prints it.
    """
    from pipeline.config import validate
    from pipeline.config_file import apply_overrides, read_settings
    from pipeline.execute import execute
    from stages.capture.locate import display_name

    published = options.publishing_overrides(publish, keys, insecure)
    if output is None and not published:
        raise click.UsageError("Missing option '-o' / '--output'.")
    settings = read_settings("offline")
    options.merge(settings["fusion"], model=model, mode=mode, device=device)
    settings["capture"] = {"kind": _capture_kind(source), "input": source}
    settings["encoding"] = {"kind": "none"} if output is None else {"kind": _encoding_kind(output), "output": output}
    options.merge(settings["encoding"], codec=codec, crf=crf)
    options.merge_hardware(settings, hardware)
    options.merge(settings, report=report)
    execute(
        validate(apply_overrides(settings, [*published, *overrides])),
        title=Path(display_name(source)).name,
        stats=stats,
    )


def _capture_kind(source: str) -> str:
    """Pictures for a folder or pattern; a file of exactly that name is a file.

    Raises:
        SourceError: the folder it lies in cannot be read.
    """
    from stages.capture.locate import reading_errors

    with reading_errors():
        if Path(source).is_dir():
            return "pictures"
        if Path(source).exists() or "://" in source:
            return "file"
    return "pictures" if _NUMBERED.search(source) or any(sign in source for sign in "*?[") else "file"


def _encoding_kind(output: str) -> str:
    """Pictures for a folder, existing or to be made, and for a numbered picture; otherwise a video."""
    suffix = Path(output).suffix.lower()
    is_folder = Path(output).is_dir() or not suffix or output.endswith("/")
    return "pictures" if is_folder or suffix in _PICTURE_SUFFIXES else "video"
