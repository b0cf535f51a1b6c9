"""``lumabraid doctor``: what this machine can do."""

from __future__ import annotations

import click


@click.command(name="doctor", epilog="Example: lumabraid doctor")
def command() -> None:
    """Try what this machine can do: devices, codecs, packaged networks, cameras.

    Everything listed as working has just worked: devices computed, codecs encoded a few frames, networks were
    loaded, cameras gave a picture.
    """
    from pipeline.doctor import examine

    section = ""
    for finding in examine():
        if finding.section != section:
            section = finding.section
            click.secho(section, bold=True)
        verdict = (
            click.style("works        ", fg="green") if finding.works else click.style("not available", fg="yellow")
        )
        click.echo(f"  {finding.name:<16} {verdict}  {finding.detail}")
