"""Runs every method on every pair, judges the results and keeps the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from pipeline.evaluation.methods import Method
from pipeline.evaluation.metrics.judge import METRICS, Judge, Scores
from pipeline.evaluation.pair import EvaluationPair, PairSource
from pipeline.evaluation.picture import Picture
from stages.errors import LumabraidError


@dataclass(frozen=True, slots=True)
class PairResult:
    """What came of one pair."""

    name: str
    width: int
    height: int
    ratio_stops: float
    scores: dict[str, Scores]
    """By method; without those that failed on this pair."""


@dataclass(slots=True)
class Evaluation:
    """What came of all of them."""

    methods: list[str]
    pairs: list[PairResult] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """A line for each pair that could not be read, and each method that could not fuse a pair."""

    def means(self) -> dict[str, Scores]:
        """The mean of every metric over the pairs a method fused, by method; without methods that fused none."""
        means = {}
        for method in self.methods:
            scores = [pair.scores[method] for pair in self.pairs if method in pair.scores]
            if scores:
                means[method] = {metric: float(np.mean([each[metric] for each in scores])) for metric in METRICS}
        return means

    def fused_pairs(self, method: str) -> int:
        """How many pairs a method fused."""
        return sum(method in pair.scores for pair in self.pairs)


class Audience(Protocol):
    """Told what goes on, and shown the pictures, which are not kept."""

    def on_step(self, done: int, total: int, doing: str) -> None:
        """So many of the pairs times methods are done; what comes next."""

    def on_failure(self, line: str) -> None:
        """A pair or a method on it was left out."""

    def on_unreadable(self) -> None:
        """A pair was left out as a whole."""

    def on_pair(self, pair: EvaluationPair, fused: Mapping[str, Picture], scores: Mapping[str, Scores]) -> None:
        """A pair is done; its fused pictures and what they scored, by method."""


def evaluate(sources: Sequence[PairSource], methods: Sequence[Method], audience: Audience) -> Evaluation:
    """Fuse every pair by every method and judge the results.

    A pair that cannot be read, and a method that fails on a pair, is a line in ``failures``; the rest goes on.
    """
    evaluation = Evaluation([method.name for method in methods])

    def fail(line: str) -> None:
        evaluation.failures.append(line)
        audience.on_failure(line)

    total = len(sources) * len(methods)
    for index, source in enumerate(sources):
        done = index * len(methods)
        audience.on_step(done, total, source.name)
        try:
            pair = source.load()
            judge = Judge(pair.clean_under, pair.clean_over)
        except LumabraidError as error:
            fail(f"{source.name} left out: {error}")
            audience.on_unreadable()
            continue
        fused: dict[str, Picture] = {}
        scores: dict[str, Scores] = {}
        for position, method in enumerate(methods):
            audience.on_step(done + position, total, f"{source.name}, {method.name}")
            try:
                fused[method.name] = method.fuse(pair)
            except (LumabraidError, cv2.error) as error:
                fail(f"{source.name} left out for {method.name}: {' '.join(str(error).split())}")
                continue
            scores[method.name] = judge.scores(fused[method.name])
        height, width = pair.under.shape[:2]
        evaluation.pairs.append(PairResult(pair.name, width, height, pair.ratio_stops, scores))
        audience.on_pair(pair, fused, scores)
    audience.on_step(total, total, "")
    return evaluation
