"""A pair of exposures to be fused and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.evaluation.picture import Picture


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationPair:
    """Two exposures of one view on the same pixels."""

    name: str
    under: Picture
    """The darker one, as a camera gives it."""
    over: Picture
    clean_under: Picture
    """What fused pictures are judged against: without noise and compression where that is known."""
    clean_over: Picture
    ratio_stops: float
    """log2 of over's exposure over under's; of photographs an estimate."""


@dataclass(frozen=True, slots=True)
class PairSource:
    """A pair that is read or rendered when it is its turn."""

    name: str
    load: Callable[[], EvaluationPair]
    """Raises SourceError: it cannot be read, or is no pair."""
