"""``lumabraid run``: a pipeline described in YAML."""

from __future__ import annotations

import click

from pipeline.commands import options


@click.command(
    name="run",
    epilog="""\b
Examples:
  lumabraid run mine.yaml
  lumabraid run offline --set capture.input=clip.mp4 --set encoding.output=fused.mp4""",
)
@click.argument("configuration", metavar="NAME|FILE")
@options.overrides
def command(configuration: str, overrides: tuple[str, ...]) -> None:
    """Run the pipeline in a YAML file or preset.

    `lumabraid config list` names the presets, `lumabraid config show NAME` prints one with every setting.
    Paths in it count from the folder you are in.
    """
    from pipeline.config import load_config
    from pipeline.execute import execute

    execute(load_config(configuration, overrides), title=configuration)
