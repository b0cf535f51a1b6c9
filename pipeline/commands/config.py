"""``lumabraid config``: show, check and describe configurations."""

from __future__ import annotations

import json

import click

from pipeline.commands import options
from pipeline.config import load_config
from pipeline.config_file import preset_names, preset_title
from pipeline.config_text import json_schema, to_yaml

_configuration = click.argument("configuration", metavar="NAME|FILE")


@click.group(name="config", epilog="Example: lumabraid config show offline")
def command() -> None:
    """Show, check and describe configurations.

    A configuration is a YAML file with a section for each stage. Ready-made ones, presets, go by their name.
    """


@command.command("list")
def list_presets() -> None:
    """List the presets."""
    for name in preset_names():
        click.echo(f"{name:<16} {preset_title(name)}")


@command.command(
    short_help="Print a configuration with every default.", epilog="Example: lumabraid config show offline > mine.yaml"
)
@_configuration
@options.overrides
def show(configuration: str, overrides: tuple[str, ...]) -> None:
    """Print a configuration with every default filled in, as commented YAML."""
    click.echo(to_yaml(load_config(configuration, overrides)), nl=False)


@command.command(
    short_help="Say whether a configuration is valid.",
    epilog="Example: lumabraid config check mine.yaml --set fusion.mode=full",
)
@_configuration
@options.overrides
def check(configuration: str, overrides: tuple[str, ...]) -> None:
    """Say whether a configuration is valid; exit code 2 and the first problem if not."""
    load_config(configuration, overrides)
    click.echo(f"{configuration}: valid")


@command.command(
    short_help="Print the JSON schema, for editors.", epilog="Example: lumabraid config schema > lumabraid.schema.json"
)
def schema() -> None:
    """Print the JSON schema of all settings, for editors that complete and check YAML."""
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
