"""Options of the commands that train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.argument(
        "places",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="MAPS_OR_BRACKETS...",
        nargs=-1,
        required=True,
    ),
    click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Pairs in a batch."),
    click.option(
        "--side", type=click.IntRange(96), default=256, show_default=True, help="Pixels of a training picture."
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the first weights and every pair."
    ),
    click.option(
        "--hold-out",
        multiple=True,
        metavar="NAME",
        help="Keep the maps and scenes whose names begin so for validation. Repeatable. [default: every fifth place]",
    ),
    click.option(
        "--validation-pairs",
        type=click.IntRange(1),
        default=48,
        show_default=True,
        help="Pairs of the held-out scenes that tell which weights are best.",
    ),
)


def recipe(command: _Command) -> _Command:
    """The scenes and what decides how weights come out of them; ``TrainingRun`` has fields of the same names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
