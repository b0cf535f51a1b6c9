"""Training from radiance maps and photographs to packaged weights with their model card: ``lumabraid train``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.training_brackets import Bracket, load_brackets
from pipeline.training_card import model_card
from pipeline.training_curves import draw_curves
from pipeline.training_pairs import PairSampler, PairSettings
from pipeline.training_picture import draw_validation
from pipeline.training_run import TrainingRun, claim_folder
from pipeline.training_scenes import Scenes, find_scenes, split_scenes
from stages.errors import ConfigError
from stages.fusion import weights
from stages.fusion.ablation import switch_off
from stages.fusion.lcndr import LCNDR
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.models import load_model
from stages.fusion.training import Batch, Progress, TrainingPlan, train, validate

_VALIDATION_SEED = 1_000_003
_VALIDATION_BATCH_SIZE = 8
_VALIDATION_SIDE = 256


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came out."""

    weights: Path
    card: Path
    scores: dict[str, float]
    """MEF-SSIM on the held-out pairs by method."""


def run_training(
    run: TrainingRun,
    *,
    device: torch.device,
    command: str,
    on_step: Callable[[Progress], None],
    on_left_out: Callable[[str], None],
) -> TrainingResult:
    """Train, write ``NAME.safetensors`` and ``NAME.md`` into the output folder, ``curves.png`` and ``validation.png``.

    A run that was interrupted goes on from its last checkpoint when started again with the same arguments.

    Args:
        run: what was asked for.
        device: to train on.
        command: for the model card.
        on_step: told after every step.
        on_left_out: told in one line of photographs that cannot be trained on.

    Raises:
        ConfigError: too few scenes, a held-out name that fits none, no such model to start or learn from, one with
            other modules to start from, or a folder that holds a run with other settings.
        SourceError: a map cannot be read.
    """
    scenes, held_out = split_scenes(find_scenes(run.places), run.hold_out)
    claim_folder(run, scenes)
    sampler = PairSampler(scenes.maps, _brackets(scenes, run.side, on_left_out), run.pairs)
    validation = _validation(held_out, _brackets(held_out, _VALIDATION_SIDE, on_left_out), run.validation_pairs)
    teacher = load_model(run.teacher) if run.teacher else None
    torch.manual_seed(run.seed)
    model = switch_off(LCNDR(run.widths), run.without)
    if run.start is not None:
        _start_from(run.start, model)
    elif teacher is not None:
        model.blend.start_from(teacher.blend)
    plan = TrainingPlan(steps=run.steps, learning_rate=run.learning_rate, loss=run.loss, teacher=teacher)

    def on_best(averaged: torch.nn.Module) -> None:
        draw_validation(averaged, validation, run.output / "validation.png", device=device)

    def on_every_step(progress: Progress) -> None:
        if progress.validation is not None:
            draw_curves(run.output / "log.csv", run.output / "curves.png")
        on_step(progress)

    with ThreadPoolExecutor(1) as ahead:
        best = train(
            model,
            _prefetched(sampler, ahead),
            validation,
            plan,
            run.output,
            device=device,
            on_step=on_every_step,
            on_best=on_best,
        )
    model.load_state_dict(best)
    scores = {run.name: validate(model, validation, run.loss, device=device).mef_ssim, **_baselines(validation)}
    path = run.output / f"{run.name}.safetensors"
    description = f"LCNDR, trained on {_counted(scenes)}"
    metadata = {"name": run.name, "license": run.license, "description": description}
    weights.save(path, best, metadata | ({"without": " ".join(sorted(run.without))} if run.without else {}))
    card = run.output / f"{run.name}.md"
    text = model_card(
        run,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        training=scenes,
        validation=held_out,
        validation_pairs=f"{run.validation_pairs} pairs of {_VALIDATION_SIDE} x {_VALIDATION_SIDE} from what was held "
        f"out, CEM and SAM at {_VALIDATION_SIDE // 2} pixels",
        scores=scores,
        command=command,
    )
    card.write_text(text, encoding="utf-8")
    return TrainingResult(path, card, scores)


def _start_from(name: str, model: LCNDR) -> None:
    """Give a model another's weights."""
    try:
        model.load_state_dict(load_model(name).state_dict())
    except RuntimeError as error:
        raise ConfigError(
            f"{name} has other modules or channels than what is trained: give --widths and --without as it has them"
        ) from error


def _brackets(scenes: Scenes, side: int, on_left_out: Callable[[str], None]) -> list[Bracket]:
    """The photographed pairs that can be used."""
    brackets = load_brackets(scenes.photographs, smallest_side=side, on_left_out=on_left_out)
    if not scenes.maps and not brackets:
        raise ConfigError(f"none of {len(scenes.photographs)} photographed pairs can be used; the lines above say why")
    return brackets


def _counted(scenes: Scenes) -> str:
    kinds = ((len(scenes.maps), "radiance maps"), (len(scenes.photographs), "photographed pairs"))
    return " and ".join(f"{number} {kind}" for number, kind in kinds if number)


def _validation(scenes: Scenes, brackets: Sequence[Bracket], pairs: int) -> list[Batch]:
    """The same pairs for every run on the same scenes, so that figures of two runs can be compared."""
    settings = PairSettings(side=_VALIDATION_SIDE, working_sides=(_VALIDATION_SIDE // 2,), seed=_VALIDATION_SEED)
    batches = []
    for number, first in enumerate(range(0, pairs, _VALIDATION_BATCH_SIZE)):
        size = min(_VALIDATION_BATCH_SIZE, pairs - first)
        batches.append(PairSampler(scenes.maps, brackets, replace(settings, batch_size=size))(number))
    return batches


def _prefetched(sampler: PairSampler, ahead: ThreadPoolExecutor) -> Callable[[int], Batch]:
    """Make the next batch while the network works on this one."""
    pending: dict[int, Future[Batch]] = {}

    def make(number: int) -> Batch:
        batch = pending.pop(number, None) or ahead.submit(sampler, number)
        pending[number + 1] = ahead.submit(sampler, number + 1)
        return batch.result()

    return make


def _baselines(batches: Sequence[Batch]) -> dict[str, float]:
    """MEF-SSIM of the plain average and of OpenCV's MergeMertens on the same pairs."""
    # Without its weight for saturation, which is nothing in pictures of luma alone.
    mertens = cv2.createMergeMertens(1, 0, 1)
    scores: dict[str, list[float]] = {"OpenCV MergeMertens": [], "plain average": []}
    for batch in batches:
        metric = MefSsim(torch.cat([batch.clean_under, batch.clean_over], dim=1))
        pairs = ((torch.cat([batch.under, batch.over], dim=1)) * 255).round().byte().numpy()
        merged = [mertens.process([cv2.merge([luma] * 3) for luma in pair])[..., 0] for pair in pairs]
        stored = (np.stack(merged).clip(0, 1) * 255).round() / 255
        scores["OpenCV MergeMertens"] += metric(torch.from_numpy(stored.astype(np.float32))[:, None]).tolist()
        scores["plain average"] += metric((batch.under + batch.over) / 2).tolist()
    return {method: float(np.mean(values)) for method, values in scores.items()}
