"""``lumabraid simulate``: a clip from the simulated camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options


class _Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            self.fail(f"{value!r} is not a size such as 1280x720.", param, ctx)
        return int(width), int(height)


@click.command(
    name="simulate",
    epilog="""\b
Example:
  lumabraid simulate room.hdr -o clip.mp4 --stops 3 --seconds 4 --size 1280x720 --truth truth""",
)
@click.argument("panorama", metavar="MAP.hdr")
@click.option(
    "-o",
    "--output",
    metavar="CLIP",
    required=True,
    callback=options.not_standard_output,
    help="Video file to write.",
)
@click.option("--stops", type=float, help="Between the short and the long exposure. [default: 3]")
@click.option("--seconds", type=float, help="Length of the clip. [default: 4]")
@click.option("--fps", "frame_rate", type=float, help="Frames per second. [default: 25]")
@click.option("--size", type=_Size(), help="Of the picture, such as 1280x720. [default: 640x360]")
@click.option("--seed", type=int, help="Chooses noise, hand shake and objects; the same seed films the same clip.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write both noise-free exposures of every frame, and truth.json.",
)
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any other setting of the camera, such as shake_deg=0 or objects=3. Repeatable.",
)
def command(
    panorama: str,
    output: str,
    stops: float | None,
    seconds: float | None,
    frame_rate: float | None,
    size: tuple[int, int] | None,
    seed: int | None,
    truth: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Film an equirectangular HDR panorama with a camera that brackets.

    The camera pans with a shaking hand, objects pass before it, and its frames alternate between a short and a
    long exposure: a clip to try `lumabraid video` on, whose truth is known.
    """
    from pipeline.config import validate_section
    from pipeline.config_file import apply_overrides
    from pipeline.progress import progress
    from pipeline.simulate import simulate
    from stages.encoding.video import VideoEncoder

    settings: dict[str, Any] = {"kind": "simulated", "map": panorama}
    given = {"stops": stops, "seconds": seconds, "frame_rate": frame_rate, "seed": seed}
    settings |= {key: value for key, value in given.items() if value is not None}
    if size is not None:
        settings["width"], settings["height"] = size
    camera = validate_section("capture", apply_overrides(settings, overrides))
    encoder = VideoEncoder(validate_section("encoding", {"kind": "video", "output": output}))
    with progress(output) as bar:
        count = simulate(
            camera,
            encoder,
            truth=truth,
            on_frame=lambda done: bar.show(done, camera.frame_count, 0),
        )
    click.echo(f"{output}: {count} frames, {camera.stops:g} stops between under and over")
    if truth is not None:
        click.echo(f"{truth}: the noise-free exposures of every frame")
