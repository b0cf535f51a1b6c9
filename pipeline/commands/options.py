"""Options that several subcommands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def merge(section: dict[str, Any], **given: object) -> None:
    """Add what was given on the command line."""
    section.update({key: value for key, value in given.items() if value is not None})


def not_standard_output(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
    """Callback of an option that names an output: a dash alone would make a file or folder of that name.

    Raises:
        BadParameter: it is a dash alone.
    """
    if str(value) == "-":
        raise click.BadParameter("- is standard output, where nothing can be written to; name a file or a folder.")
    return value


overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change any setting, such as channels.capacity=8; `lumabraid config schema` lists them all. Repeatable.",
)
report = click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the account as JSON."
)
stats = click.option("--stats", is_flag=True, help="Print the account as a line of JSON every second and at the end.")
model = click.option("--model", metavar="NAME", help="Network; `lumabraid models` lists them.")
mode = click.option(
    "--mode",
    type=click.Choice(["full", "stream"]),
    help="stream (default): weights at a working size, fast; full: at full resolution but for how bright areas become.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="auto (default): a GPU where there is one.",
)
hardware = click.option(
    "--hardware",
    type=click.Choice(["none", "auto"]),
    help="auto: decode and encode video on an NVIDIA GPU where that works. [default: none]",
)
record = click.option(
    "--record",
    metavar="FOLDER",
    help="Record the frames there, in segments of a minute, in place of the configuration's output; "
    "--set encoding.max_disk_mb=10000 deletes the oldest.",
)


def merge_hardware(settings: dict[str, Any], hardware: str | None) -> None:
    """Add what was given on the command line to the sections that decode or encode video."""
    for role, kinds in (("capture", ("file", "stream")), ("encoding", ("video", "segments"))):
        if settings[role]["kind"] in kinds:
            merge(settings[role], hardware=hardware)


def publishing(command: _Command) -> _Command:
    """--publish, --keys and --insecure; ``publishing_overrides`` makes settings of them."""
    for option in (
        click.option("--insecure", is_flag=True, help="Let other machines subscribe without keys."),
        click.option("--keys", metavar="DIR", help="Keys of the publisher and its readers: `lumabraid keys new DIR`."),
        click.option(
            "--publish",
            metavar="ADDRESS",
            help="Publish the frames at tcp://HOST:PORT or ipc://PATH, such as tcp://127.0.0.1:5555.",
        ),
    ):
        command = option(command)
    return command


def publishing_overrides(publish: str | None, keys: str | None, insecure: bool) -> list[str]:
    """The same as ``--set`` would say it."""
    if publish is None:
        if keys is not None or insecure:
            raise click.UsageError("--keys and --insecure need --publish.")
        return []
    given = {"address": publish, "keys": keys, "insecure": insecure or None}
    return [_override(f"publishing.{key}", value) for key, value in given.items() if value is not None]


def recording_overrides(record: str | None) -> list[str]:
    """The same as ``--set`` would say it; settings of another kind of output are left behind."""
    if record is None:
        return []
    return ["encoding.kind=segments", _override("encoding.folder", record)]


def _override(key: str, value: object) -> str:
    """As ``--set`` takes it: YAML, which reads JSON, except that a character has one escape sequence and not two."""
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return f"{key}={text}"
