"""Sensor noise of a single frame, and taking it away with what was seen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.blend import blend_planes
from stages.alignment.intensity import lookup
from stages.frame import PixelArray, Planes

_ROW_STEP = 4
_LEVELS = 16
_QUIET_SHARE = 0.35
"""The quieter part of a picture tells noise from texture."""
_QUIET_DEVIATIONS = 0.4538
"""Quantile of |N(0, 1)| at that share."""
_FEWEST_SAMPLES = 64
_TOLERATED_DEVIATIONS = 2.5
_ROUNDING = 0.5
_STILL_WEIGHT = 0.75
"""Of what is remembered, where it is as sharp as the frame."""
_MOVED_WEIGHT = 0.5
_WARP_ERROR = 3.0
"""What a warp takes of the picture, in 8-bit code values; noise far below it is better kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Grain:
    """Noise of one plane."""

    deviation: npt.NDArray[np.float64]
    """In code values, for each of 256 or 1024 code values."""
    mean: float
    """Deviation over the picture, in 8-bit code values."""

    @classmethod
    def of(cls, plane: PixelArray, bit_depth: int) -> Grain:
        """Noise is what bends along rows in the quieter part of the pixels at each level of brightness.

        The second difference of independent noise has sqrt(6) times its deviation.
        """
        size = 1 << bit_depth
        rows = plane[::_ROW_STEP].astype(np.int32)
        bend = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
        widest = size // 4
        cells = (rows[:, 1:-1] * _LEVELS // size) * widest + np.minimum(bend, widest - 1)
        counts = np.bincount(cells.ravel(), minlength=_LEVELS * widest).reshape(_LEVELS, widest)
        ranks = np.cumsum(counts, axis=1)
        known = np.flatnonzero(ranks[:, -1] >= _FEWEST_SAMPLES)
        if known.size == 0:
            return cls(np.zeros(size), 0.0)
        # Bends are whole numbers: n stands for all between n - 1/2 and n + 1/2.
        quiet = [np.interp(_QUIET_SHARE * ranks[level, -1], ranks[level], np.arange(widest) + 0.5) for level in known]
        deviation = np.asarray(quiet) / (_QUIET_DEVIATIONS * np.sqrt(6))
        mean = float(np.average(deviation, weights=ranks[known, -1])) * 256 / size
        return cls(np.interp(np.arange(size), (known + 0.5) * size / _LEVELS, deviation), mean)


def memory_share(grain: Grain, stillness: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(h, w) weight of what is remembered: less where a warp blurred it, unless noise is worse than that.

    Args:
        grain: of the frame's luma.
        stillness: (h, w) in [0, 1]: how little the remembered picture was warped.
    """
    moved = _MOVED_WEIGHT * grain.mean**2 / (grain.mean**2 + _WARP_ERROR**2)
    return np.float32(moved) + np.float32(_STILL_WEIGHT - moved) * stillness


def steady(frame: Planes, remembered: Planes, share: npt.NDArray[np.float32]) -> Planes:
    """A frame drawn towards what was seen before, nowhere by more than its own noise: no thing can trail behind.

    Args:
        frame: noisy.
        remembered: the same scene at the same exposure, on the frame's pixel grid.
        share: (h, w) in [0, 1] of what is remembered, any size with the picture's aspect.
    """
    luma = _within_noise(frame.luma, remembered.luma, frame.bit_depth)
    planes = zip(frame.chroma, remembered.chroma, strict=True)
    chroma: Any = [_within_noise(plane, before, frame.bit_depth) for plane, before in planes]
    return blend_planes(Planes(luma, np.stack(chroma), frame.bit_depth), frame, share)


def _within_noise(plane: PixelArray, remembered: PixelArray, bit_depth: int) -> PixelArray:
    table = np.rint(_TOLERATED_DEVIATIONS * Grain.of(plane, bit_depth).deviation + _ROUNDING).astype(plane.dtype)
    allowed: Any = lookup(plane, table)
    held: Any = cv2.min(cv2.max(remembered, cv2.subtract(plane, allowed)), cv2.add(plane, allowed))
    within: PixelArray = held
    return within
