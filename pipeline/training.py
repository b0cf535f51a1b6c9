"""Training from a folder of radiance maps to packaged weights with their model card: ``lumabraid train``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.training_pairs import PairSampler, PairSettings, split_maps
from stages.errors import ConfigError
from stages.fusion import weights
from stages.fusion.lcndr import LCNDR
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.training import Batch, Progress, TrainingPlan, train, validate

_VALIDATION_SEED = 1_000_003
_VALIDATION_BATCH_SIZE = 8
_VALIDATION_SIDE = 256


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What ``lumabraid train`` was asked for."""

    maps: Path
    """Folder of equirectangular radiance maps, ``.hdr``."""
    output: Path
    """Folder for log, checkpoint, weights and model card."""
    name: str = "lcndr"
    steps: int = 2000
    batch_size: int = 4
    side: int = 256
    """Pixels of a training picture."""
    learning_rate: float = 1e-3
    seed: int = 0
    hold_out: tuple[str, ...] = ()
    """Beginnings of names of maps kept for validation."""
    validation_pairs: int = 48
    """Pairs of the held-out maps that tell which weights are best."""
    license: str = "unspecified"
    """Of the weights, as the maps' licences allow."""
    origin: str = "unspecified"
    """Of the maps, for the model card."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came out."""

    weights: Path
    card: Path
    scores: dict[str, float]
    """MEF-SSIM on the held-out pairs by method."""


def run_training(
    run: TrainingRun, *, device: torch.device, command: str, on_step: Callable[[Progress], None]
) -> TrainingResult:
    """Train, write ``NAME.safetensors`` and ``NAME.md`` into the output folder.

    A run that was interrupted goes on from its last checkpoint when started again with the same arguments.

    Raises:
        ConfigError: too few maps, a held-out name that fits none, or a folder that holds a run with other settings.
        SourceError: a map cannot be read.
    """
    training_maps, validation_maps = split_maps(run.maps, run.hold_out)
    _check_same_run(run, training_maps)
    sampler = PairSampler(training_maps, PairSettings(side=run.side, batch_size=run.batch_size, seed=run.seed))
    validation = _validation(validation_maps, run.validation_pairs)
    torch.manual_seed(run.seed)
    model = LCNDR()
    plan = TrainingPlan(steps=run.steps, learning_rate=run.learning_rate)
    with ThreadPoolExecutor(1) as ahead:
        best = train(model, _prefetched(sampler, ahead), validation, plan, run.output, device=device, on_step=on_step)
    model.load_state_dict(best)
    scores = {run.name: validate(model, validation, device=device), **_baselines(validation)}
    path = run.output / f"{run.name}.safetensors"
    description = f"LCNDR, trained on {len(training_maps)} radiance maps"
    weights.save(path, best, {"name": run.name, "license": run.license, "description": description})
    card = run.output / f"{run.name}.md"
    card.write_text(_model_card(run, model, training_maps, validation_maps, scores, command), encoding="utf-8")
    return TrainingResult(path, card, scores)


def _check_same_run(run: TrainingRun, training_maps: Sequence[Path]) -> None:
    """Refuse to go on from a checkpoint that was made with other settings."""
    settings = {
        "steps": run.steps,
        "batch_size": run.batch_size,
        "side": run.side,
        "learning_rate": run.learning_rate,
        "seed": run.seed,
        "maps": [path.name for path in training_maps],
    }
    path = run.output / "run.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name, value in settings.items() if before.get(name) != value]
        if changed:
            raise ConfigError(
                f"{run.output} holds a training run with other {', '.join(changed)}: "
                "use the same again to go on with it, or another folder"
            )
    run.output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _validation(maps: Sequence[Path], pairs: int) -> list[Batch]:
    """The same pairs for every run on the same maps, so that figures of two runs can be compared."""
    settings = PairSettings(side=_VALIDATION_SIDE, working_sides=(_VALIDATION_SIDE // 2,), seed=_VALIDATION_SEED)
    batches = []
    for number, first in enumerate(range(0, pairs, _VALIDATION_BATCH_SIZE)):
        size = min(_VALIDATION_BATCH_SIZE, pairs - first)
        batches.append(PairSampler(maps, replace(settings, batch_size=size))(number))
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
    mertens = cv2.createMergeMertens()
    scores: dict[str, list[float]] = {"OpenCV MergeMertens": [], "plain average": []}
    for batch in batches:
        metric = MefSsim(torch.cat([batch.clean_under, batch.clean_over], dim=1))
        pairs = ((torch.cat([batch.under, batch.over], dim=1)) * 255).round().byte().numpy()
        merged = [mertens.process([cv2.merge([luma] * 3) for luma in pair])[..., 0] for pair in pairs]
        stored = (np.stack(merged).clip(0, 1) * 255).round() / 255
        scores["OpenCV MergeMertens"] += metric(torch.from_numpy(stored.astype(np.float32))[:, None]).tolist()
        scores["plain average"] += metric((batch.under + batch.over) / 2).tolist()
    return {method: float(np.mean(values)) for method, values in scores.items()}


def _model_card(
    run: TrainingRun,
    model: LCNDR,
    training_maps: Sequence[Path],
    validation_maps: Sequence[Path],
    scores: dict[str, float],
    command: str,
) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    rows = "\n".join(f"| {method} | {score:.4f} |" for method, score in scores.items())
    names = [", ".join(sorted(path.stem for path in maps)) for maps in (training_maps, validation_maps)]
    return f"""# {run.name}

LCNDR (Li, Liu, Zhou, Zhang, Kasabov; IEEE TCSVT 2022) as reconstructed in `stages/fusion/lcndr.py`,
{parameters:,} parameters, float32. Fuses the luma of an under- and an over-exposed picture.

## Data

Pairs rendered by the simulated camera's optics and sensor from equirectangular radiance maps: random views,
1.5 to 6 stops apart, random response curves, shot and read noise, 8 bit, JPEG for half of them.

- Origin of the maps: {run.origin}
- Training: {names[0]}
- Validation, never trained on: {names[1]}

## Licence

{run.license}

## Command

    {command}

{run.steps} steps of {run.batch_size} pairs, pictures of {run.side} x {run.side} (half as wide in every fourth batch,
which runs at full resolution), Adam from {run.learning_rate:g}, seed {run.seed}.

## Figures

MEF-SSIM (Ma, Zeng, Wang 2015; three scales, luma) against the noise-free pair. {run.validation_pairs} noisy pairs of
{_VALIDATION_SIDE} x {_VALIDATION_SIDE} from the validation maps, CEM and SAM at {_VALIDATION_SIDE // 2} pixels:

| method | MEF-SSIM |
| --- | --- |
{rows}
"""
