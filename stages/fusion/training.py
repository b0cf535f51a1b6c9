"""Training of LCNDR: optimiser, averaging of weights, validation, checkpoints, a log.

Knows nothing of where pictures come from: it is given a function that makes batch number n.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import NamedTuple, TextIO

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion.lcndr import LCNDR
from stages.fusion.loss import Loss, LossWeights, fusion_loss
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.precision import multiplies_bfloat16

_LOSS_PARTS = tuple(part.name for part in fields(Loss))
_HASTE = 20
"""Times the learning rate, where a few numbers are logits and logarithms: they have further to go than weights."""
_HASTY = ("blend.", "refinement.")
_COLUMNS = ("step", "loss", *_LOSS_PARTS[1:], "validation_loss", "validation")
"""Of the log; ``loss`` is the total, ``validation`` MEF-SSIM."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of luma pictures (B, 1, H, W) in [0, 1]: as a camera gives them, and noise-free."""

    under: Tensor
    over: Tensor
    clean_under: Tensor
    clean_over: Tensor
    working_side: int | None
    """Working size of CEM and SAM for this batch; None = full resolution."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long and how fast."""

    steps: int = 2000
    learning_rate: float = 1e-3
    """Adam's, at its height; a linear start over the first 2 % of the steps, then half a cosine down to 1 % of it."""
    average_decay: float = 0.995
    """Of the running mean of the weights, which is what is kept."""
    validate_every: int = 100
    checkpoint_every: int = 25
    """Also after every validation."""
    loss: LossWeights = field(default_factory=LossWeights)
    teacher: LCNDR | None = None
    """A larger network whose pictures are imitated (distillation: Hinton, Vinyals, Dean, 2015)."""
    imitation: float = 1.0
    """How much the mean distance from the teacher's picture counts beside the loss."""


class Validation(NamedTuple):
    """Means over the validation set, luma rounded to 8 bit as it would be stored."""

    loss: float
    """As in training, against the noise-free pairs."""
    mef_ssim: float
    """Against the noise-free pairs."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands after a step."""

    step: int
    loss: float
    validation: Validation | None
    """Of the averaged weights, where it was measured at this step."""
    best: Validation | None
    """Of the weights with the least loss so far."""
    elapsed_s: float


def train(
    model: LCNDR,
    make_batch: Callable[[int], Batch],
    validation: Sequence[Batch],
    plan: TrainingPlan,
    folder: Path,
    *,
    device: torch.device,
    on_step: Callable[[Progress], None],
    on_best: Callable[[nn.Module], None],
) -> dict[str, Tensor]:
    """Train, and return the averaged weights that did best on the validation set.

    ``folder`` receives ``log.csv`` and ``checkpoint.pt``; where a checkpoint of an earlier run lies there, training
    goes on from it. The same model, batches and plan give the same weights on one machine. Better means less of the
    loss that is trained for; ``on_best`` is shown the network with averaged weights whenever it did better than ever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.to(device).train()
    teacher = plan.teacher
    if teacher is not None:
        teacher.to(device)
    average = torch.optim.swa_utils.AveragedModel(model, avg_fn=_running_mean(plan.average_decay))
    hasty = [parameter for name, parameter in model.named_parameters() if name.startswith(_HASTY)]
    others = [parameter for name, parameter in model.named_parameters() if not name.startswith(_HASTY)]
    rates = ((others, plan.learning_rate), (hasty, _HASTE * plan.learning_rate))
    optimiser = torch.optim.Adam([{"params": parameters, "lr": rate} for parameters, rate in rates])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, plan.steps))
    state: dict[str, nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler] = {
        "model": model,
        "average": average,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    checkpoint = folder / "checkpoint.pt"
    best: Validation | None = None
    first, best_weights = 0, _snapshot(average.module)
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        for name, part in state.items():
            part.load_state_dict(saved[name])
        first, best_weights = saved["step"], saved["best_weights"]
        best = Validation(*saved["best"]) if saved["best"] else None
    started = time.monotonic()
    with _log_up_to(first, folder / "log.csv") as log:
        rows = csv.writer(log, lineterminator="\n")
        for step in range(first, plan.steps):
            batch = _to(make_batch(step), device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=multiplies_bfloat16(device)):
                logits = model.choose(batch.under, batch.over, batch.working_side)
            # In float32 from here: a pyramid's bands are small differences.
            fused = model.revise(model.blend(batch.under, batch.over, logits.float()), batch.under, batch.over)
            loss = fusion_loss(fused, batch.clean_under, batch.clean_over, plan.loss)
            total = loss.total
            if teacher is not None:
                with torch.no_grad():
                    taught = teacher(batch.under, batch.over, working_side=batch.working_side)
                total = total + plan.imitation * F.l1_loss(fused, taught)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(model)
            score = None
            if (step + 1) % plan.validate_every == 0 or step + 1 == plan.steps:
                score = validate(average.module, validation, plan.loss, device=device)
                if best is None or score.loss < best.loss:
                    best, best_weights = score, _snapshot(average.module)
                    on_best(average.module)
            values = [getattr(loss, part).item() for part in _LOSS_PARTS]
            scored = ["", ""] if score is None else [f"{value:.5f}" for value in score]
            rows.writerow([step + 1, *(f"{value:.5f}" for value in values), *scored])
            log.flush()
            if score is not None or (step + 1) % plan.checkpoint_every == 0:
                parts: dict[str, object] = {name: part.state_dict() for name, part in state.items()}
                _write_whole(
                    checkpoint, parts | {"step": step + 1, "best": best and tuple(best), "best_weights": best_weights}
                )
            on_step(Progress(step + 1, loss.total.item(), score, best, time.monotonic() - started))
    return best_weights


def validate(model: nn.Module, batches: Sequence[Batch], weights: LossWeights, *, device: torch.device) -> Validation:
    """How well a network fuses held-out pairs."""
    model.eval()
    losses, scores = [], []
    with torch.inference_mode():
        for batch in (_to(batch, device) for batch in batches):
            fused = model(batch.under, batch.over, working_side=batch.working_side)
            stored = (fused.clamp(0, 1) * 255).round() / 255
            losses.append(fusion_loss(stored, batch.clean_under, batch.clean_over, weights).total)
            scores.append(MefSsim(torch.cat([batch.clean_under, batch.clean_over], dim=1))(stored))
    model.train()
    return Validation(float(torch.stack(losses).mean()), float(torch.cat(scores).mean()))


def _running_mean(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential mean, over less than ``decay`` says while there are few steps: the first weights fade soon."""

    def mean(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
        return average + (1 - kept) * (now - average)

    return mean


def _rate(step: int, steps: int) -> float:
    """Factor on the learning rate."""
    warm_up = max(1, steps // 50)
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _to(batch: Batch, device: torch.device) -> Batch:
    return replace(
        batch,
        under=batch.under.to(device),
        over=batch.over.to(device),
        clean_under=batch.clean_under.to(device),
        clean_over=batch.clean_over.to(device),
    )


def _log_up_to(step: int, path: Path) -> TextIO:
    """The log, open for the rows after ``step``; later ones of an interrupted run are taken back."""
    lines = path.read_text().splitlines()[: step + 1] if step and path.exists() else []
    log = path.open("w")
    log.write("".join(f"{line}\n" for line in lines or [",".join(_COLUMNS)]))
    return log


def _write_whole(path: Path, parts: dict[str, object]) -> None:
    """Save beside the final name and rename, so that an interruption leaves the earlier checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save(parts, partial)
    partial.replace(path)
