"""Options that several subcommands share."""

from __future__ import annotations

import click

overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change any setting, such as channels.capacity=8; `lumabraid config show offline` lists them. Repeatable.",
)
model = click.option("--model", metavar="NAME", help="Network; `lumabraid models` lists them.")
mode = click.option(
    "--mode",
    type=click.Choice(["full", "stream"]),
    help="stream (default): weights at a working size, fast; full: everything at full resolution.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="auto (default): a GPU where there is one.",
)
