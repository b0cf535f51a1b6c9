"""Photographed pairs for training: two exposures of a scene, of which random parts are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.pair import EvaluationPair, PairSource
from pipeline.evaluation.picture import Picture
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.motion import MotionEstimator
from stages.errors import SourceError

Luma = npt.NDArray[np.uint8]
"""(height, width), BT.709."""

_LUMA_BGR: Final = np.array([[0.0722, 0.7152, 0.2126]], np.float32)
_LARGEST_SHIFT_PX: Final = 1.0
_MOVED_SHARE: Final = 0.25
"""Of the picture, that moves when the camera did; less is something in front of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Bracket:
    """Two exposures of one scene on the same pixels."""

    under: Luma
    over: Luma

    def part(self, rng: np.random.Generator, side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """A random square of both, reduced to (side, side), in [0, 1], mirrored or not."""
        height, width = self.under.shape
        extent = int(rng.integers(side, min(height, width), endpoint=True))
        top, left = (int(rng.integers(0, length - extent, endpoint=True)) for length in (height, width))
        window = np.s_[top : top + extent, left : left + extent]
        step = -1 if rng.random() < 0.5 else 1
        under, over = (
            cv2.resize(np.ascontiguousarray(luma[window][:, ::step]), (side, side), interpolation=cv2.INTER_AREA)
            / np.float32(255)
            for luma in (self.under, self.over)
        )
        return under, over


def load_brackets(
    sources: Sequence[PairSource], *, smallest_side: int, on_left_out: Callable[[str], None]
) -> list[Bracket]:
    """The pairs that can be trained on.

    Args:
        sources: pairs to read.
        smallest_side: pixels of the shorter side that a part needs.
        on_left_out: told in one line of a pair that cannot be read, is too small or out of register.
    """
    return list(_usable(sources, smallest_side, on_left_out))


def _usable(sources: Sequence[PairSource], smallest_side: int, on_left_out: Callable[[str], None]) -> Iterator[Bracket]:
    for source in sources:
        try:
            yield _bracket(source.load(), smallest_side)
        except SourceError as error:
            on_left_out(f"{source.name} left out: {error}")


def _bracket(pair: EvaluationPair, smallest_side: int) -> Bracket:
    height, width = pair.under.shape[:2]
    if min(height, width) < smallest_side:
        raise SourceError(f"{width}x{height} pixels are too few for parts of {smallest_side}x{smallest_side}")
    under, over = _luma(pair.under), _luma(pair.over)
    shift_px = _shift_px(under, over)
    if shift_px > _LARGEST_SHIFT_PX:
        raise SourceError(f"the exposures are {shift_px:.1f} pixels out of register; align them first")
    return Bracket(under, over)


def _luma(picture: Picture) -> Luma:
    return np.asarray(cv2.transform(picture, _LUMA_BGR), np.uint8).reshape(picture.shape[:2])


def _shift_px(under: Luma, over: Luma) -> float:
    """How far a quarter of the picture or more has moved from one exposure to the other."""
    lifted = lookup(under, estimate_mapping(under, over, 8).under_to_over)
    flow = MotionEstimator().estimate(over, np.asarray(lifted, np.uint8)).flow
    return float(np.quantile(np.linalg.norm(flow, axis=-1), 1 - _MOVED_SHARE))
