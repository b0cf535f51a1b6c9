"""Adding up the light of a sharp picture along its motion, as an open shutter does: motion blur."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow, Picture
from stages.alignment.exposure import ENCODING
from stages.alignment.levels import Levels
from stages.alignment.motion import FloatArray
from stages.compiling import kernel, part
from stages.frame import PixelArray

INSTANTS = 17
"""That stand for the time from frame to frame, where shares of it are tried."""
_UNLIKE = np.float32(40)
"""Of 255: pixels that differ by more are of different things."""
_FLAT = np.float32(8)
"""Of 255: where less changes along the motion, smear does not show."""
_MOST_INSTANTS = 11
"""For which the light of a picture is added up; they are a pixel apart where the motion is short."""
_LIGHT_STEPS = 4096
_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """From code values to light and back."""

    light: FloatArray
    """For each code value; 0 = black, 1 = white."""
    codes: PixelArray
    """Code values of light, in even steps of its square root."""

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, levels: Levels, bytes_each: int) -> Tables:
        """Of code values of one byte, 8 bit, or of two, 10 bit."""
        dtype, size = (np.uint8, 256) if bytes_each == 1 else (np.uint16, 1024)
        shares = (np.arange(size) - levels.black) / levels.span
        light = np.clip(shares, 0, 1) ** (1 / ENCODING)
        steps = (np.arange(_LIGHT_STEPS + 1) / _LIGHT_STEPS) ** (2 * ENCODING)
        codes: Any = np.rint(levels.black + levels.span * steps).astype(dtype)
        return cls(light.astype(np.float32), codes)


@kernel
def smear(
    light: FloatArray, codes: PixelArray, field: Flow, share: np.float32, smeared: PixelArray, start: int, end: int
) -> None:
    """Smears rows ``start`` to ``end`` - 1 of a picture.

    Args:
        light: (h, w) of its pixels.
        codes: the table that leads back.
        field: (h, w, 2) motion in an interval from frame to frame, in pixels.
        share: of the interval, for which the shutter is open around its middle.
        smeared: (h, w) code values, written to.
        start: row.
        end: row after the last.
    """
    for y in range(start, end):
        for x in range(light.shape[1]):
            right, down = share * field[y, x, 0], share * field[y, x, 1]
            half = min(int(_HALF * np.sqrt(right * right + down * down) + _HALF), _MOST_INSTANTS // 2)
            total = light[y, x]
            for instant in range(1, half + 1):
                passed = np.float32(instant) / np.float32(2 * half + 1)
                across, along = np.rint(passed * right), np.rint(passed * down)
                total += _at(light, np.float32(y) + along, np.float32(x) + across)
                total += _at(light, np.float32(y) - along, np.float32(x) - across)
            smeared[y, x] = codes[_step(total / np.float32(2 * half + 1))]


@kernel
def measure(
    under: PixelArray,
    over: Picture,
    curve: PixelArray,
    excess: FloatArray,
    light: FloatArray,
    codes: PixelArray,
    flow: Flow,
    interval: np.float32,
    reference_is_under: bool,
    step: int,
    misses: npt.NDArray[np.float64],
) -> None:
    """Writes what is left of the difference with each share of the interval: 1, 5, 9 ... of its instants.

    Pixels count by how much changes there along the motion.

    Args:
        under: (h, w) luma code values.
        over: (h, w) the same of 8 bit.
        curve: for each of under's code values that of over, of under's depth.
        excess: (any height, any width) code values that colours add to that; empty where they add none.
        light: the table from under's code values.
        codes: the one back.
        flow: (h, w, 2) from the reference to the neighbour, in pixels.
        interval: from frame to frame, as a share of the time between the two.
        reference_is_under: whether the flow is on under's grid or on over's.
        step: pixels from one that is looked at to the next.
        misses: mean difference in 8-bit code values for each share, written to.
    """
    height, width = under.shape
    unit = np.float32(256) / np.float32(curve.size)
    black, white = np.float32(codes[0]), np.float32(codes[codes.size - 1])
    values, sum_of_weights = np.empty(misses.size, np.float32), np.float32(0)
    half = INSTANTS // 2
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            right, down = flow[y, x, 0], flow[y, x, 1]
            row, column = int(np.rint(np.float32(y) + down)), int(np.rint(np.float32(x) + right))
            if min(row, column) < 0 or row >= height or column >= width:
                continue
            shown = np.float32(over[row, column]) if reference_is_under else np.float32(over[y, x])
            if reference_is_under:
                row, column = y, x
            added = np.float32(0)
            if excess.size:
                added = excess[row * excess.shape[0] // height, column * excess.shape[1] // width]
            own, before, after, tried = light[under[row, column]], np.float32(0), np.float32(0), 0
            for instant in range(half + 1):
                if instant > 0:
                    passed = interval * np.float32(instant) / np.float32(INSTANTS)
                    across, along = np.rint(passed * right), np.rint(passed * down)
                    before += light[_code_at(under, np.float32(row) - along, np.float32(column) - across)]
                    after += light[_code_at(under, np.float32(row) + along, np.float32(column) + across)]
                if instant % 2 == 0:
                    mean = (own + before + after) / np.float32(2 * instant + 1)
                    values[tried] = min(max(np.float32(curve[codes[_step(mean)]]) + added, black), white)
                    tried += 1
            then, now = np.float32(curve[codes[_step(before / half)]]), np.float32(curve[codes[_step(after / half)]])
            weight = max(unit * abs(now - then) - _FLAT, np.float32(0))
            sum_of_weights += weight
            for tried in range(misses.size):
                misses[tried] += weight * min(abs(unit * values[tried] - shown), _UNLIKE)
    misses /= max(sum_of_weights, np.float32(1))


@part
def _step(light: np.float32) -> int:
    return int(np.sqrt(light) * np.float32(_LIGHT_STEPS) + _HALF)


@part
def _at(light: FloatArray, row: np.float32, column: np.float32) -> np.float32:
    """Of a picture, its border repeated."""
    height, width = light.shape
    return np.float32(light[min(max(int(row), 0), height - 1), min(max(int(column), 0), width - 1)])


@part
def _code_at(luma: PixelArray, row: np.float32, column: np.float32) -> int:
    """The same."""
    height, width = luma.shape
    return int(luma[min(max(int(row), 0), height - 1), min(max(int(column), 0), width - 1)])
