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
  lumabraid run simulated-live --set capture.map=room.hdr --publish tcp://127.0.0.1:5555
  lumabraid run surveillance --record footage --set encoding.max_disk_mb=50000""",
)
@click.argument("configuration", metavar="NAME|FILE")
@options.record
@options.publishing
@options.stats
@options.overrides
def command(
    configuration: str,
    record: str | None,
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

    recorded = options.recording_overrides(record)
    published = options.publishing_overrides(publish, keys, insecure)
    execute(load_config(configuration, [*recorded, *published, *overrides]), title=configuration, stats=stats)
