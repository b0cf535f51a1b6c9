"""``lumabraid run``: a pipeline described in YAML."""

from __future__ import annotations

import click

from pipeline.commands import options


@click.command(
    name="run",
    epilog="""\b
Examples:
  lumabraid run mine.yaml
  lumabraid run offline --set capture.input=clip.mp4 --set encoding.output=fused.mp4
  lumabraid run simulated-live --set capture.map=room.hdr --publish tcp://127.0.0.1:5555""",
)
@click.argument("configuration", metavar="NAME|FILE")
@options.publishing
@options.stats
@options.overrides
def command(
    configuration: str,
    publish: str | None,
    keys: str | None,
    insecure: bool,
    stats: bool,
    overrides: tuple[str, ...],
) -> None:
    """Run the pipeline in a YAML file or preset.

    `lumabraid config list` names the presets, `lumabraid config show NAME` prints one with every setting.
    Paths in it count from the folder you are in.
    """
    from pipeline.config import load_config
    from pipeline.execute import execute

    published = options.publishing_overrides(publish, keys, insecure)
    execute(load_config(configuration, [*published, *overrides]), title=configuration, stats=stats)
