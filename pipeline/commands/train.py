"""``lumabraid train``: radiance maps and photographs in, weights and model card out."""

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
    from stages.fusion.lcndr import Widths
    from stages.fusion.loss import LossWeights


_FEWEST_SHALLOW = 4
"""Channels that channel attention can still reduce by four."""


@click.command(
    name="train",
    epilog="Example: lumabraid train maps -o runs/first --steps 1400 --hold-out brown_photostudio --hold-out vestibule",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    callback=options.not_standard_output,
    help="Folder for weights, model card, log, curves and checkpoint.",
)
@click.option("--name", default="lcndr", show_default=True, help="Of the model: NAME.safetensors and NAME.md.")
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="Batches to train on.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Adam's, at its height.",
)
@recipe
@click.option(
    "--as-taken",
    "as_taken_share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Share of the rendered pairs that are judged against themselves, not against their noise-free truth.",
)
@click.option(
    "--misalign",
    "misalignment_px",
    type=click.FloatRange(0, 16),
    default=0,
    show_default=True,
    metavar="PIXELS",
    help="Shift and turn one exposure of each pair by up to this much.",
)
@click.option(
    "--ten-bit",
    "ten_bit_share",
    type=click.FloatRange(0, 1),
    default=0,
    show_default=True,
    metavar="SHARE",
    help="Share of the rendered pairs that have 10 bit and no compression.",
)
@click.option(
    "--loss",
    "loss_weights",
    metavar="PART=WEIGHT,...",
    help="How much structure, edges, preservation, tones and balance count, such as edges=0.5,tones=0.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["cem-attention", "sam-attention", "sam", "judge", "structure", "erm", "refinement"]),
    help="Switch a part of the network off. Repeatable.",
)
@click.option(
    "--widths",
    metavar="SHALLOW,MIDDLE,DEEP,ATTENTION,REVISION,JUDGED,REVISED,STEPS,DRAWN",
    help="Channels of the modules, levels judged and revised, refinement steps and the levels that draw in them; "
    "without it 32,64,96,32,8,6,4,5,3.",
)
@click.option("--start", metavar="MODEL", help="Start from a model's weights: a packaged one's name, or a file.")
@click.option("--teacher", metavar="MODEL", help="Imitate a model's pictures too: a packaged one's name, or a file.")
@click.option("--license", default="unspecified", help="Of the weights, for their model card.")
@click.option("--origin", default="unspecified", help="Of the maps and their licence, for the model card.")
@options.device
def command(loss_weights: str | None, widths: str | None, device: DeviceName | None, **settings: Any) -> None:
    """Train LCNDR on folders of equirectangular radiance maps (.hdr) or photographs.

    Pairs of exposures are rendered from the maps as training goes. Folders of photographs hold pairs as `lumabraid
    evaluate` takes them; random parts of them are used. The weights that do best on the scenes held out are kept. An
    interrupted run goes on from its last checkpoint when started again. Use the result with `--model
    DIR/NAME.safetensors`.
    """
    from pipeline.training import run_training
    from pipeline.training_run import TrainingRun
    from pipeline.training_view import say_left_out, shown_progress
    from stages.device.choice import choose_device

    run = TrainingRun(loss=_loss_weights(loss_weights), widths=_widths(widths), **settings)
    with shown_progress(run) as view:
        result = run_training(
            run,
            device=choose_device(device or "auto"),
            command=shlex.join(["lumabraid", *sys.argv[1:]]),
            on_step=view.on_step,
            on_left_out=say_left_out,
        )
    for method, score in result.scores.items():
        click.echo(f"  MEF-SSIM on the held-out scenes: {score:.4f}  {method}")
    click.echo(f"{result.weights}: weights; {result.card}: model card")


def _loss_weights(given: str | None) -> LossWeights:
    """Those named, the others as they are by default."""
    from dataclasses import fields, replace

    from stages.fusion.loss import LossWeights

    weights = LossWeights()
    known = [field.name for field in fields(LossWeights)]
    for part in given.split(",") if given else []:
        name, _, value = part.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1
        if name not in known or not 0 <= weight < float("inf"):
            raise click.UsageError(
                f"--loss {part}: expected PART=WEIGHT, PART one of {', '.join(known)}, WEIGHT from 0"
            )
        weights = replace(weights, **{name: weight})
    return weights


def _widths(given: str | None) -> Widths:
    from dataclasses import fields

    from stages.fusion.blend import SHARED_FROM_LEVEL
    from stages.fusion.lcndr import Widths
    from stages.fusion.refinement import DRAWN_LEVELS
    from stages.fusion.structure import REVISED_LEVELS

    if given is None:
        return Widths()
    try:
        numbers = [int(number) for number in given.split(",")]
        *positive, drawn = numbers
        if len(numbers) == len(fields(Widths)) and min(positive) >= 1 and drawn >= 0 and numbers[0] >= _FEWEST_SHALLOW:
            return Widths(*numbers)
    except ValueError:
        pass
    raise click.UsageError(
        f"--widths {given}: expected nine numbers such as 8,16,16,16,4,4,3,1,0, the first at least "
        f"{_FEWEST_SHALLOW}, the sixth at most {SHARED_FROM_LEVEL}, the seventh at most {REVISED_LEVELS}, "
        f"the last from 0 to {DRAWN_LEVELS}"
    )
