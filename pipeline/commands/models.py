"""``lumabraid models``: the packaged networks."""

from __future__ import annotations

import click


@click.command(name="models", epilog="Example: lumabraid video clip.mp4 -o fused.mp4 --model lcndr")
def command() -> None:
    """List the packaged networks."""
    from stages.fusion.models import list_models

    for model in list_models():
        click.secho(model.name, bold=True)
        click.echo(f"  {model.description}")
        click.echo(f"  {model.parameters:,} parameters, {model.size_bytes / 2**20:.2f} MiB, {model.licence}")
