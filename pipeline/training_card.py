"""The model card that goes with trained weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pipeline.training_run import TrainingRun
from pipeline.training_scenes import Scenes
from stages.fusion.lcndr import Widths
from stages.fusion.loss import LossWeights


def model_card(
    run: TrainingRun,
    *,
    parameters: int,
    training: Scenes,
    validation: Scenes,
    validation_pairs: str,
    scores: Mapping[str, float],
    command: str,
) -> str:
    """The card's text.

    Args:
        run: what was asked for.
        parameters: numbers in the network.
        training: what it was trained on.
        validation: what was held out.
        validation_pairs: their number and size, in words.
        scores: MEF-SSIM on them by method.
        command: that made the weights.
    """
    rows = "\n".join(f"| {method} | {score:.4f} |" for method, score in scores.items())
    return f"""# {run.name}

LCNDR (Li, Liu, Zhou, Zhang, Kasabov; IEEE TCSVT 2022) as reconstructed in `stages/fusion/lcndr.py`,
{parameters:,} parameters, float32. Fuses the luma of an under- and an over-exposed picture.

## Data

{_data(run, training)}- Origin of the maps: {run.origin}
- Training: {", ".join(sorted(training.names))}
- Validation, never trained on: {", ".join(sorted(validation.names))}

## Licence

{run.license}

## Command

    {command}

{run.steps} steps of {run.batch_size} pairs, pictures of {run.side} x {run.side} (half as wide in every fourth batch,
which runs at full resolution), Adam from {run.learning_rate:g}, seed {run.seed}.
{_departures(run)}
## Figures

MEF-SSIM (Ma, Zeng, Wang 2015; three scales, luma) against the noise-free pair, of
{validation_pairs}:

| method | MEF-SSIM |
| --- | --- |
{rows}
"""


def _data(run: TrainingRun, training: Scenes) -> str:
    """A paragraph for each kind of data."""
    text = ""
    if training.maps:
        text += (
            "Pairs rendered by the simulated camera's optics and sensor from equirectangular radiance maps: random "
            "views,\n1.5 to 6 stops apart, random response curves, shot and read noise, 8 bit, JPEG for half of "
            "them.\n"
        )
        if run.as_taken_share and not run.misalignment_px:
            text += f"{run.as_taken_share:.0%} are judged against themselves, the others against their truth.\n"
        text += "\n"
    if training.photographs:
        text += "Random parts of photographed pairs, mirrored or not; what is judged against is the pair itself.\n\n"
    if run.misalignment_px:
        text += f"One exposure of each pair is up to {run.misalignment_px:g} px out of register.\n\n"
    if run.ten_bit_share:
        text += f"{run.ten_bit_share:.0%} of the rendered pairs have 10 bit and no compression.\n\n"
    return text


def _departures(run: TrainingRun) -> str:
    """What is not as usual about network and loss."""
    text = ""
    if run.widths != Widths():
        text += (
            f"\nSizes of the modules: {', '.join(f'{name} {width}' for name, width in asdict(run.widths).items())}.\n"
        )
    if run.start:
        text += f"\nStarted from the weights of {run.start}.\n"
    if run.teacher:
        text += f"\nTeacher, whose pictures it learned to imitate beside the loss: {run.teacher}.\n"
    if run.without:
        text += f"\nSwitched off: {', '.join(sorted(run.without))}.\n"
    if run.loss != LossWeights():
        text += f"\nLoss: {', '.join(f'{name} {weight:g}' for name, weight in asdict(run.loss).items())}.\n"
    return text
