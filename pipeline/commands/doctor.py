"""``lumabraid doctor``: what this machine, or a camera, can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.doctor import Finding


@click.command(
    name="doctor",
    epilog="""\b
Examples:
  lumabraid doctor
  lumabraid doctor --camera 0
  lumabraid doctor --camera rtsp://camera/stream""",
)
@click.option(
    "--camera",
    metavar="SOURCE",
    help="Try this source instead: a camera's number or device, a URL, simulated:MAP.hdr, a file.",
)
def command(camera: str | None) -> int:
    """Try what this machine can do: devices, codecs, packaged networks, cameras.

    Everything listed as working has just worked: devices computed, codecs encoded a few frames, NVENC encoded and NVDEC
    decoded one, networks were loaded, cameras gave a picture.

    With --camera, one source is watched for a few seconds: its size and frame rate as measured, whether its exposures
    alternate by themselves, whether it obeys when told to and after how many frames, and what to do. The exit code is
    1 where it does not open or gives no picture.
    """
    if camera is None:
        from pipeline.doctor import examine

        _tell(examine(), works="works", fails="not available")
        return 0
    from pipeline.camera_trial import try_camera

    return 0 if _tell(try_camera(camera), works="yes", fails="no") else 1


def _tell(findings: Iterable[Finding | str], *, works: str, fails: str) -> bool:
    """A line for each, as it is found; a text stands by itself. Returns whether there was one."""
    section, has_text = "", False
    width = max(len(works), len(fails))
    for finding in findings:
        if isinstance(finding, str):
            has_text = True
            click.echo(finding)
            continue
        if finding.section != section:
            section = finding.section
            click.secho(section, bold=True)
        verdict = (
            click.style(f"{works:<{width}}", fg="green")
            if finding.works
            else click.style(f"{fails:<{width}}", fg="yellow")
        )
        click.echo(f"  {finding.name:<16} {verdict}  {finding.detail}")
    return has_text
