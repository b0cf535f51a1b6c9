"""``lumabraid ablate``: what each part of the network and of its loss is good for."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.training_options import recipe

if TYPE_CHECKING:
    from stages.device.choice import DeviceName


@click.command(
    name="ablate",
    epilog="Example: lumabraid ablate maps -o runs/ablation --steps 600 --judge-on MEFB/input",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    callback=options.not_standard_output,
    help="Folder for ablation.md, ablation.json and a folder for each variant.",
)
@click.option("--steps", type=click.IntRange(1), default=600, show_default=True, help="Batches each is trained on.")
@recipe
@click.option(
    "--judge-on",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="PAIRS",
    help="Pairs to be judged on, as `lumabraid evaluate` takes them. Repeatable. [default: rendered from the maps "
    "that are held out]",
)
@options.device
def command(
    places: tuple[Path, ...], output: Path, judge_on: tuple[Path, ...], device: DeviceName | None, **settings: Any
) -> None:
    """Train the network whole, without each of its parts and without each part of its loss, and compare them.

    All variants start from the same seed, see the same pairs and train for the same number of steps, fewer than for
    weights to be used. The table is Markdown. What was interrupted goes on when started again.
    """
    from pipeline.ablation import run_ablation
    from pipeline.training_run import TrainingRun
    from stages.device.choice import choose_device

    run = TrainingRun(places=places, output=output, **settings)
    table = run_ablation(
        run, judge_on, device=choose_device(device or "auto"), command=shlex.join(["lumabraid", *sys.argv[1:]])
    )
    click.echo(table.read_text(encoding="utf-8"), nl=False)
    click.echo(f"{table}: the table")
