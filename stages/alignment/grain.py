"""Sensor noise of a single frame, and taking it away with what was seen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow
from stages.alignment.crew import Crew, Rows
from stages.alignment.enlarging import Weight, enlarge_row, row_at, widened_weights
from stages.alignment.intensity import lookup
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

_ROW_STEP = 4
_MOST_ROWS = 72
"""Of large pictures fewer rows than every fourth say as much."""
LEVELS = 16
QUIET_SHARE = 0.35
"""The quieter part of a picture tells noise from texture."""
QUIET_DEVIATIONS = 0.4538
"""Quantile of |N(0, 1)| at that share."""
FEWEST_SAMPLES = 64
TOLERATED_DEVIATIONS = 2.5
ROUNDING = 0.5
_HALF = np.float32(0.5)
_UNIT = np.float32(1 / 255)
STILL_PX = (np.float32(0.1), np.float32(0.4))
"""A warp by up to the first leaves the picture sharp, from the second it takes what any warp takes."""
STILL_WEIGHT = 0.75
"""Of what is remembered, where it is as sharp as the frame."""
MOVED_WEIGHT = 0.5
WARP_ERROR = 3.0
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
        rows = plane[:: row_step(plane.shape[0])]
        counts = np.zeros((LEVELS, size // 4), np.int64)
        _count_bends(rows, size, counts)
        widest = size // 4
        ranks = np.cumsum(counts, axis=1)
        known = np.flatnonzero(ranks[:, -1] >= FEWEST_SAMPLES)
        if known.size == 0:
            return cls(np.zeros(size), 0.0)
        # Bends are whole numbers: n stands for all between n - 1/2 and n + 1/2.
        quiet = [np.interp(QUIET_SHARE * ranks[level, -1], ranks[level], np.arange(widest) + 0.5) for level in known]
        deviation = np.asarray(quiet) / (QUIET_DEVIATIONS * np.sqrt(6))
        mean = float(np.average(deviation, weights=ranks[known, -1])) * 256 / size
        return cls(np.interp(np.arange(size), (known + 0.5) * size / LEVELS, deviation), mean)


def row_step(height: int) -> int:
    """From one of the rows that tell a plane's noise to the next."""
    return max(_ROW_STEP, height // _MOST_ROWS)


def stillness(flow: Flow, width: int) -> npt.NDArray[np.float32]:
    """(h, w) in [0, 1]: 1 where a warp along the flow, at a full width, takes nothing of the sharpness."""
    still = np.empty(flow.shape[:2], np.float32)
    _measure_stillness(np.ascontiguousarray(flow), np.float32(width / flow.shape[1]), still)
    return still


@kernel
def _measure_stillness(flow: Flow, scale: np.float32, still: npt.NDArray[np.float32]) -> None:
    sharp_px, blurred_px = STILL_PX
    for y in range(still.shape[0]):
        steps, shares = flow[y].reshape(-1), still[y]
        for x in range(shares.size):
            across, down = steps[2 * x], steps[2 * x + 1]
            share = (blurred_px - scale * np.sqrt(across * across + down * down)) / (blurred_px - sharp_px)
            shares[x] = min(max(share, np.float32(0)), np.float32(1))


def memory_share(grain: float, stillness: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(h, w) weight of what is remembered: less where a warp blurred it, unless noise is worse than that.

    Args:
        grain: ``Grain.mean`` of the frame's luma.
        stillness: (h, w) in [0, 1]: how little the remembered picture was warped.
    """
    moved = MOVED_WEIGHT * grain**2 / (grain**2 + WARP_ERROR**2)
    return np.float32(moved) + np.float32(STILL_WEIGHT - moved) * stillness


def steady(frame: Planes, remembered: Planes, share: npt.NDArray[np.float32], luma_grain: Grain, crew: Crew) -> Planes:
    """A frame drawn towards what was seen before, nowhere by more than its own noise: no thing can trail behind.

    Args:
        frame: noisy.
        remembered: the same scene at the same exposure, on the frame's pixel grid.
        share: (h, w) in [0, 1] of what is remembered, any size with the picture's aspect.
        luma_grain: of the frame's luma.
        crew: does it.
    """
    luma, chroma = np.empty_like(frame.luma), np.empty_like(frame.chroma)
    full, half = widened_weights(share, frame, crew)
    drawn = [_drawing(frame.luma, remembered.luma, full, luma_grain, luma)]
    for plane, before, target in zip(frame.chroma, remembered.chroma, chroma, strict=True):
        drawn.append(_drawing(plane, before, half, Grain.of(plane, frame.bit_depth), target))
    crew.rows(*drawn)
    return Planes(luma, chroma, frame.bit_depth)


def _drawing(
    plane: PixelArray, remembered: PixelArray, share: Weight, grain: Grain, target: PixelArray
) -> tuple[tuple[int, ...], Rows]:
    """A plane's shape, and the work on its rows."""
    allowed: Any = np.rint(TOLERATED_DEVIATIONS * grain.deviation + ROUNDING).astype(plane.dtype)

    def work(start: int, end: int) -> None:
        _draw_rows(plane, remembered, share, lookup(plane[start:end], allowed), target, start, end)

    return plane.shape, work


@kernel
def _draw_rows(
    plane: PixelArray,
    remembered: PixelArray,
    share: Weight,
    allowed: PixelArray,
    target: PixelArray,
    start: int,
    end: int,
) -> None:
    """``allowed`` holds the rows from ``start`` on alone, ``share`` has any height."""
    height, width = plane.shape
    drawn = np.empty(width, np.uint8)
    for y in range(start, end):
        enlarge_row(share, row_at(y, height, share.shape[0]), drawn)
        for x in range(width):
            own, most = np.float32(plane[y, x]), np.float32(allowed[y - start, x])
            change = min(max(np.float32(remembered[y, x]) - own, -most), most)
            target[y, x] = np.int32(own + np.float32(drawn[x]) * _UNIT * change + _HALF)


@kernel
def _count_bends(rows: PixelArray, size: int, counts: npt.NDArray[np.int64]) -> None:
    """Counts pixels by level of brightness and second difference along the row."""
    widest, shift = counts.shape[1], 0
    while size >> shift > counts.shape[0]:
        shift += 1
    for y in range(rows.shape[0]):
        for x in range(1, rows.shape[1] - 1):
            middle = np.int64(rows[y, x])
            bend = abs(np.int64(rows[y, x - 1]) - 2 * middle + np.int64(rows[y, x + 1]))
            counts[middle >> shift, min(bend, widest - 1)] += 1
