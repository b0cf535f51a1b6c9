"""The ablation: one short training for each variant of the network and of its loss, judged on the same pairs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import torch

from pipeline.ablation_table import ablation_table
from pipeline.evaluation.classical import MergeMertens, PlainAverage
from pipeline.evaluation.evaluation import evaluate
from pipeline.evaluation.methods import Lcndr, Method
from pipeline.evaluation.metrics.judge import Scores
from pipeline.evaluation.pair import EvaluationPair, PairSource
from pipeline.evaluation.pairs import find_pairs
from pipeline.evaluation.picture import Picture
from pipeline.evaluation.table import write_json
from pipeline.output_file import write_output
from pipeline.progress import Progress, progress
from pipeline.training import run_training
from pipeline.training_run import TrainingRun
from pipeline.training_scenes import find_scenes, split_scenes
from pipeline.training_view import say_left_out, shown_progress
from stages.errors import SourceError
from stages.fusion.ablation import PARTS
from stages.fusion.loss import LossWeights

_PAIRS_PER_MAP: Final = 8
_JUDGING_SEED: Final = 7


def variants(run: TrainingRun) -> list[TrainingRun]:
    """The training whole, without each part of the network, without each part of the loss; folders in its folder."""
    changed = {"whole": run}
    changed |= {f"without-{part}": replace(run, without=(part,)) for part in PARTS}
    changed |= {
        f"without-{part.name}-loss": replace(run, loss=replace(run.loss, **{part.name: 0.0}))
        for part in fields(LossWeights)
    }
    return [replace(variant, name=name, output=run.output / name) for name, variant in changed.items()]


def run_ablation(run: TrainingRun, judged_on: Sequence[Path], *, device: torch.device, command: str) -> Path:
    """Train and judge every variant; an interrupted ablation goes on when started again.

    Args:
        run: the training that all variants have in common.
        judged_on: pairs as ``find_pairs`` takes them; none means pairs of the scenes that are held out.
        device: to train on; judged is on it too, in ``stream`` mode.
        command: to be told with the table.

    Returns:
        ``ablation.md`` in the run's folder; ``ablation.json`` beside it has the values of every pair.

    Raises:
        ConfigError: as ``run_training``.
        SourceError: as ``run_training``, or no pair could be judged.
    """
    pairs = _pairs(run, judged_on)
    methods: list[Method] = [PlainAverage(), MergeMertens()]
    for variant in variants(run):
        with shown_progress(variant) as view:
            result = run_training(
                variant, device=device, command=command, on_step=view.on_step, on_left_out=say_left_out
            )
        methods.append(Lcndr(str(result.weights), "stream", device))
    with progress("judge", unit="pictures/s") as bar:
        evaluation = evaluate(pairs, methods, _Audience(bar))
    if not evaluation.pairs:
        raise SourceError(f"none of {len(pairs)} pairs could be judged; the lines above say why")
    write_json(run.output / "ablation.json", evaluation, {"command": command, "seed": _JUDGING_SEED})
    table = run.output / "ablation.md"
    write_output(table, ablation_table(run, evaluation, command))
    return table


def _pairs(run: TrainingRun, judged_on: Sequence[Path]) -> list[PairSource]:
    """Of the places given, or of the scenes held out, by another recipe and seed than those that chose the weights."""
    held_out = split_scenes(find_scenes(run.places), run.hold_out)[1]
    found = find_pairs(judged_on or held_out.maps, longest_side=None, pairs_per_map=_PAIRS_PER_MAP, seed=_JUDGING_SEED)
    return found if judged_on else [*found, *held_out.photographs]


class _Audience:
    """Shows how far judging is."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._begin_s = time.monotonic()

    def on_step(self, done: int, total: int, doing: str) -> None:
        self._bar.show(done, total, done / max(time.monotonic() - self._begin_s, 1e-6), doing)

    def on_failure(self, line: str) -> None:
        say_left_out(line)

    def on_unreadable(self) -> None:
        pass

    def on_pair(self, pair: EvaluationPair, fused: Mapping[str, Picture], scores: Mapping[str, Scores]) -> None:
        pass
