"""``lumabraid train``: radiance maps in, weights and model card out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands import options

if TYPE_CHECKING:
    from stages.fusion.fuser import DeviceName


@click.command(
    name="train",
    epilog="Example: lumabraid train maps -o runs/first --steps 1400 --hold-out brown_photostudio --hold-out vestibule",
)
@click.argument("maps", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="MAPS")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="Folder for weights, model card, log and checkpoint.",
)
@click.option("--name", default="lcndr", show_default=True, help="Of the model: NAME.safetensors and NAME.md.")
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="Batches to train on.")
@click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Pairs in a batch.")
@click.option("--side", type=click.IntRange(96), default=256, show_default=True, help="Pixels of a training picture.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Adam's, at its height.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the first weights and every pair.")
@click.option(
    "--hold-out",
    multiple=True,
    metavar="NAME",
    help="Keep the maps whose names begin so for validation. Repeatable. [default: every fifth place]",
)
@click.option(
    "--validation-pairs",
    type=click.IntRange(1),
    default=48,
    show_default=True,
    help="Pairs of the held-out maps that tell which weights are best.",
)
@click.option("--license", "license_name", default="unspecified", help="Of the weights, for their model card.")
@click.option("--origin", default="unspecified", help="Of the maps and their licence, for the model card.")
@options.device
def command(
    maps: Path,
    output: Path,
    name: str,
    steps: int,
    batch_size: int,
    side: int,
    learning_rate: float,
    seed: int,
    hold_out: tuple[str, ...],
    validation_pairs: int,
    license_name: str,
    origin: str,
    device: DeviceName | None,
) -> None:
    """Train LCNDR on a folder of equirectangular radiance maps (.hdr).

    Pairs of exposures are rendered from the maps as training goes; the weights that do best on the maps held out are
    kept. An interrupted run goes on from its last checkpoint when started again. Use the result with `--model
    DIR/NAME.safetensors`.
    """
    from pipeline.progress import progress
    from pipeline.training import TrainingRun, run_training
    from stages.fusion.fuser import choose_device
    from stages.fusion.training import Progress

    run = TrainingRun(
        maps=maps,
        output=output,
        name=name,
        steps=steps,
        batch_size=batch_size,
        side=side,
        learning_rate=learning_rate,
        seed=seed,
        hold_out=hold_out,
        validation_pairs=validation_pairs,
        license=license_name,
        origin=origin,
    )
    first_step = None
    with progress(f"train {name}", unit="steps/s") as bar:

        def on_step(step: Progress) -> None:
            nonlocal first_step
            first_step = step.step - 1 if first_step is None else first_step
            rate = (step.step - first_step) / max(step.elapsed_s, 1e-6)
            bar.show(step.step, steps, rate, f"loss {step.loss:.4f}, best MEF-SSIM {max(step.best, 0):.4f}")

        result = run_training(
            run,
            device=choose_device(device or "auto"),
            command=shlex.join(["lumabraid", *sys.argv[1:]]),
            on_step=on_step,
        )
    for method, score in result.scores.items():
        click.echo(f"  MEF-SSIM on the held-out maps: {score:.4f}  {method}")
    click.echo(f"{result.weights}: weights; {result.card}: model card")
