"""What the open shutter of the longer exposure makes of a scene before a moving camera.

The over frame adds up light for as long as its shutter is open, and a camera that pans smears it; the under frame is
sharp. Compared as they are, the two show different things: a dark post before a bright window, for one, is white in
the over frame as soon as the window's light reached its pixels for a part of the time. So the under frame's light is
added up along the motion, too, before the pair is compared.

For how much of the time from frame to frame the shutter is open, the frames themselves tell: it is what makes the
edges of the under frame most like those of the over frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow, Picture
from stages.alignment.crew import Crew
from stages.alignment.exposure import ENCODING
from stages.alignment.intensity import lookup
from stages.alignment.levels import Levels, eight_bit
from stages.alignment.lifting import Lifted
from stages.alignment.motion import FloatArray, Motion, typical_px
from stages.alignment.resampling import resize
from stages.compiling import kernel, part
from stages.frame import ExposurePair, PixelArray

_INSTANTS = 17
"""That stand for the time from frame to frame, where shares of it are tried."""
SHARES = tuple(instants / _INSTANTS for instants in range(1, _INSTANTS + 1, 4))
"""Of the time from frame to frame, that are tried; the first is next to nothing."""
_TELLING = 0.95
"""An open shutter must leave less than so much of the difference that a closed one leaves: noise that is averaged does
a little, too."""
_KEPT_SHARE = 0.8
"""Of what was measured, from pair to pair."""
LEAST_SMEAR_PX = 2.5
"""Of most of the picture; less is forgiven when frames are compared."""
_MEASURED_ACROSS = 80
"""Pixels at which the shares are tried, along a row."""
_UNLIKE = np.float32(40)
"""Of 255: pixels that differ by more are of different things."""
_FLAT = np.float32(8)
"""Of 255: where less changes along the motion, smear does not show."""
_MOST_INSTANTS = 11
"""For which the light of a picture is added up; they are a pixel apart where the motion is short."""
_LIGHT_STEPS = 4096
_DEPARTURE_PX = np.float32(3)
_AROUND = np.ones((7, 7), np.uint8)
"""What does not move with the camera is known no better than to some pixels."""
_HALF = np.float32(0.5)
_NO_EXCESS = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """The frames of a pair at the working size, each on its own grid."""

    under: PixelArray
    """(h, w) luma code values, the grain softened: noise that adds up would pass for smear."""
    over: Picture
    """(h, w) the same of 8 bit."""
    lifted: Lifted
    """What brings the under frame to the over frame's intensities."""
    levels: Levels
    """Of the under frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moving:
    """How a frame moved."""

    index: int
    shape: tuple[int, ...]
    typical_px: float
    field: Flow | None
    """(h, w, 2) from that frame to another, 0 about what does not move with the camera; None where hardly anything
    moves."""


class Shutter:
    """Follows for how much of the time the shutter is open, and what moves meanwhile.

    Args:
        crew: does the work.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._misses = np.zeros(len(SHARES))
        """What is left of the difference between the frames with each share."""
        self._moving: _Moving | None = None

    @property
    def open_share(self) -> float:
        """Of the time from frame to frame; next to 0 before anything was measured.

        The minimum of the parabola through the share that fits best and those beside it.
        """
        best = int(self._misses.argmin())
        if self._misses[best] > _TELLING * self._misses[0]:
            return SHARES[0]
        if best in (0, len(SHARES) - 1):
            return SHARES[best]
        before, least, after = self._misses[best - 1 : best + 2]
        step = SHARES[best + 1] - SHARES[best]
        return float(SHARES[best] + step / 2 * (before - after) / (before - 2 * least + after))

    def forget(self) -> None:
        """Let go of the last frame."""
        self._moving = None

    def follows(self, pair: ExposurePair, shape: tuple[int, ...]) -> bool:
        """Whether the motion in the pair's neighbour is known, which that in its reference will resemble."""
        moving = self._moving
        return (
            moving is not None
            and moving.shape == shape
            and moving.index == pair.neighbour.index
            and pair.neighbour.index < pair.index
        )

    def smeared(self, exposures: Exposures) -> PixelArray | None:
        """The under frame in the over frame's intensities, smeared as that is; None where that is hardly at all.

        Args:
            exposures: of a pair that follows on the one watched last, or of that pair.
        """
        share, moving, under = self.open_share, self._moving, exposures.under
        if moving is None or moving.field is None or share * moving.typical_px < LEAST_SMEAR_PX:
            return None
        field, tables = moving.field, _Tables.of(exposures.levels, under.itemsize)
        light, smeared = lookup(under, tables.light), np.empty_like(under)

        def work(start: int, end: int) -> None:
            _smear(light, tables.codes, field, np.float32(share), smeared, start, end)

        self._crew.rows((under.shape, work))
        return exposures.lifted.again(smeared)

    def watch(self, pair: ExposurePair, exposures: Exposures, motion: Motion, *, is_smear_known: bool) -> None:
        """Learns from a pair what moves, and how long the shutter is open.

        Args:
            pair: whose frames they are.
            exposures: of it.
            motion: from the reference to the neighbour.
            is_smear_known: it was found between frames that are smeared alike; otherwise it tells little of what
                departs from the camera's.
        """
        height, width = shape = exposures.under.shape
        length_px = typical_px(motion.flow)
        if length_px < LEAST_SMEAR_PX:
            self._moving = _Moving(pair.index, shape, length_px, None)
            return
        camera, flow = resize(motion.camera, height, width), np.ascontiguousarray(motion.flow)
        self._moving = _Moving(pair.index, shape, length_px, _with_camera(flow, camera) if is_smear_known else flow)
        misses, tables = np.zeros(len(SHARES)), _Tables.of(exposures.levels, exposures.under.itemsize)
        excess = exposures.lifted.excess
        # Flow between frames that are not smeared alike bends to make them alike; the camera's motion does not.
        _measure(
            exposures.under,
            exposures.over,
            exposures.lifted.curve,
            _NO_EXCESS if excess is None else excess,
            tables.light,
            tables.codes,
            camera,
            pair.reference_is_under,
            max(1, width // _MEASURED_ACROSS),
            misses,
        )
        self._misses = _KEPT_SHARE * self._misses + (1 - _KEPT_SHARE) * misses


def rehearse(pair: ExposurePair, crew: Crew) -> None:
    """Goes through all of it with frames that might have been taken by a camera that moves fast, as few begin to."""
    luma, bit_depth = pair.reference.planes.luma, pair.reference.planes.bit_depth
    levels = Levels.of(pair.reference.color, bit_depth)
    lifted = Lifted(luma, _Tables.of(levels, luma.itemsize).codes[: 1 << bit_depth], None, np.empty(0, np.float32))
    exposures = Exposures(luma, eight_bit(luma, bit_depth), lifted, levels)
    flow = np.full((*luma.shape, 2), LEAST_SMEAR_PX, np.float32)
    shutter = Shutter(crew)
    shutter.watch(pair, exposures, Motion(flow, flow[..., 0], flow), is_smear_known=True)
    shutter._misses[:] = np.arange(len(SHARES))[::-1]
    shutter.smeared(exposures)


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """From code values to light and back."""

    light: FloatArray
    """For each code value; 0 = black, 1 = white."""
    codes: PixelArray
    """Code values of light, in even steps of its square root."""

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, levels: Levels, bytes_each: int) -> _Tables:
        """Of code values of one byte, 8 bit, or of two, 10 bit."""
        dtype, size = (np.uint8, 256) if bytes_each == 1 else (np.uint16, 1024)
        shares = (np.arange(size) - levels.black) / levels.span
        light = np.clip(shares, 0, 1) ** (1 / ENCODING)
        steps = (np.arange(_LIGHT_STEPS + 1) / _LIGHT_STEPS) ** (2 * ENCODING)
        codes: Any = np.rint(levels.black + levels.span * steps).astype(dtype)
        return cls(light.astype(np.float32), codes)


def _with_camera(flow: Flow, camera: Flow) -> Flow:
    """A flow, 0 where it departs from the camera's motion and around."""
    field, departs = flow.copy(), np.empty(flow.shape[:2], np.uint8)
    _find_departures(flow, camera, departs)
    field[cv2.dilate(departs, _AROUND) > 0] = 0
    return field


@kernel
def _find_departures(flow: Flow, camera: Flow, departs: npt.NDArray[np.uint8]) -> None:
    for y in range(departs.shape[0]):
        for x in range(departs.shape[1]):
            across, down = flow[y, x, 0] - camera[y, x, 0], flow[y, x, 1] - camera[y, x, 1]
            departs[y, x] = max(abs(across), abs(down)) > _DEPARTURE_PX


@kernel
def _smear(
    light: FloatArray, codes: PixelArray, field: Flow, share: np.float32, smeared: PixelArray, start: int, end: int
) -> None:
    """Rows ``start`` to ``end`` - 1."""
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
def _measure(
    under: PixelArray,
    over: Picture,
    curve: PixelArray,
    excess: FloatArray,
    light: FloatArray,
    codes: PixelArray,
    flow: Flow,
    reference_is_under: bool,
    step: int,
    misses: npt.NDArray[np.float64],
) -> None:
    """Writes what is left of the difference with each of the shares, in pixels some steps apart, on edges above all."""
    height, width = under.shape
    unit = np.float32(256) / np.float32(curve.size)
    black, white = np.float32(codes[0]), np.float32(codes[codes.size - 1])
    values, sum_of_weights = np.empty(misses.size, np.float32), np.float32(0)
    half = _INSTANTS // 2
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
                    passed = np.float32(instant) / np.float32(_INSTANTS)
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
