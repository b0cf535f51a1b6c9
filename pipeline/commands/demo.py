"""``lumabraid demo``: the main job on the packaged clip."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands import options


@click.command(name="demo", epilog="Example: lumabraid demo -o demo-out")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path("demo-out"),
    show_default=True,
    callback=options.not_standard_output,
    help="Folder for the results; made where it is missing.",
)
@options.mode
@options.device
def command(output: Path, mode: str | None, device: str | None) -> None:
    """Fuse the packaged clip: a room with bright windows, filmed with alternating exposures.

    Writes the fused video, a video with under, over and fused side by side, a contact sheet of a few moments, and the
    account as JSON.
    """
    from importlib.resources import as_file, files

    from pipeline.config import validate
    from pipeline.config_file import read_settings
    from pipeline.demo import compare
    from pipeline.execute import execute

    output.mkdir(parents=True, exist_ok=True)
    fused, video, sheet, report = (
        output / name for name in ("fused.mp4", "side-by-side.mp4", "contact-sheet.png", "report.json")
    )
    with as_file(files("configs") / "demo" / "demo.mp4") as clip:
        settings = read_settings("offline")
        settings["capture"] = {"kind": "file", "input": str(clip)}
        settings["fusion"] |= {key: value for key, value in {"mode": mode, "device": device}.items() if value}
        settings["encoding"] = {"kind": "video", "output": str(fused)}
        settings["report"] = report
        execute(validate(settings), title="demo")
        click.echo("Putting under, over and fused side by side ...")
        compare(clip, fused, video, sheet)
    for path, content in (
        (fused, "the fused video"),
        (video, "under, over and fused side by side"),
        (sheet, "a few moments of it"),
        (report, "the account"),
    ):
        click.echo(f"  {path}: {content}")
