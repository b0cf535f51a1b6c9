"""Exposures that are not quite what they were: measured where two pictures show the same, and evened out over time.

Shutters, apertures and mains light tremble by some percent from frame to frame, which the eye sees as flicker. Between
encoded signals such a difference is a gain, since they follow a power law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow
from stages.alignment.crew import Crew
from stages.alignment.curve import through_curve
from stages.alignment.levels import Levels
from stages.alignment.median import median
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

_SPOTS_ACROSS = 160
FEWEST_SPOTS = 200
TRUST = 0.85
MID_TONES = (0.12, 0.8)
"""Of the range from black to white: where noise and saturation leave a ratio alone."""
ENCODING = 1 / 2.2
SMALLEST_STOPS = 0.025
"""A code value in mid-tones: less is not told from noise and rounding."""
TREMOR_STOPS = (0.2, 0.6)
"""A difference up to the first is evened out, from the second it is meant: another exposure, another light."""
LARGEST_SHARE = 0.85
"""Of a tremor is taken away; the rest follows what changes slowly."""
KNEE = 0.75
"""Of the range from black to white: from here a gain bends so that white stays white."""


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Places spread over the reference, where pictures are compared."""

    full: tuple[slice, slice]
    """Rows and columns at full size, for indexing a plane."""
    small: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    """The same at the working size."""
    scale: float
    """Pixels at full size for one at the working size."""
    step: int
    """Pixels from one to the next at full size; the first lies half of it inside."""

    @classmethod
    def over(cls, planes: Planes, working: npt.NDArray[np.float32]) -> Spots:
        """Spots for pictures like ``planes`` and maps like ``working``."""
        step = max(1, round(planes.width / _SPOTS_ACROSS))
        every = slice(step // 2, None, step)
        rows, columns = np.ix_(np.arange(step // 2, planes.height, step), np.arange(step // 2, planes.width, step))
        height, width = working.shape[:2]
        small = rows * height // planes.height, columns * width // planes.width
        return cls((every, every), small, planes.width / width, step)

    def followed(self, plane: PixelArray, flow: Flow) -> PixelArray:
        """The pixels of another picture to which a flow at the working size leads."""
        pixels: PixelArray = plane.take(self.places(flow, *plane.shape))
        return pixels

    def places(self, flow: Flow, height: int, width: int) -> npt.NDArray[np.intp]:
        """Where a flow at the working size leads within a picture, counted along its rows."""
        rows, columns = (places.ravel() for places in self.small)
        found = np.empty((rows.size, columns.size), np.intp)
        _follow(flow, rows, columns, np.float32(self.scale), self.step, height, width, found)
        return found


@kernel
def _follow(
    flow: Flow,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    scale: np.float32,
    step: int,
    height: int,
    width: int,
    found: npt.NDArray[np.intp],
) -> None:
    """Fills in the places to which a flow leads from every so many pixels."""
    for y in range(rows.size):
        for x in range(columns.size):
            across, down = flow[rows[y], columns[x], 0], flow[rows[y], columns[x], 1]
            column = step // 2 + x * step + int(np.rint(scale * across))
            row = step // 2 + y * step + int(np.rint(scale * down))
            found[y, x] = min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1)


def difference_stops(wanted: PixelArray, given: PixelArray, trust: npt.NDArray[np.float32], levels: Levels) -> float:
    """By how much more ``wanted`` was exposed than ``given``; 0 where too little tells.

    Args:
        wanted: luma code values at some spots.
        given: what another picture shows there.
        trust: in [0, 1], that both show the same.
        levels: of the code values.
    """
    low, high = (levels.black + share * levels.span for share in MID_TONES)
    ratios = np.empty(wanted.size, np.float32)
    one: Any = np.ascontiguousarray(wanted)
    other: Any = np.ascontiguousarray(given)
    count = _ratios(one, other, np.ascontiguousarray(trust), low, high, levels.black, ratios)
    if count < FEWEST_SPOTS:
        return 0.0
    return float(np.log2(median(ratios[:count]))) / ENCODING


@kernel
def _ratios(
    wanted: PixelArray,
    given: PixelArray,
    trust: npt.NDArray[np.float32],
    low: float,
    high: float,
    black: int,
    ratios: npt.NDArray[np.float32],
) -> int:
    """How many spots are trusted mid-tones in both, and the ratios there."""
    count = np.uintp(0)
    for y in range(wanted.shape[0]):
        for x in range(wanted.shape[1]):
            one, other = np.float32(wanted[y, x]), np.float32(given[y, x])
            ratios[count] = (one - black) / max(other - black, np.float32(1))
            count += np.uintp((trust[y, x] > TRUST) & (min(one, other) > low) & (max(one, other) < high))
    return int(count)


def tremor_stops(stops: float, frames_seen: int) -> float:
    """What of a difference to the frames before is to be evened out.

    Args:
        stops: how far the frames before differ from this one.
        frames_seen: of both exposures; at first each counts as much as any before it.
    """
    small, large = TREMOR_STOPS
    alike_seen = frames_seen // 2
    share = min(alike_seen / (alike_seen + 1), LARGEST_SHARE)
    return share * stops * min(max((large - abs(stops)) / (large - small), 0.0), 1.0)


def exposed_by(planes: Planes, stops: float, levels: Levels, crew: Crew) -> Planes:
    """A picture as if exposed by so much more; the same object where that is nothing."""
    if abs(stops) < SMALLEST_STOPS:
        return planes
    values, gains = _curve(planes.max_value + 1, stops, levels)
    curve: Any = values.astype(planes.luma.dtype)
    return through_curve(planes, curve, gains, crew)


def curve_exposed_by(curve: PixelArray, stops: float, levels: Levels) -> PixelArray:
    """An intensity mapping whose result is exposed by so much more."""
    exposed: Any = _curve(curve.size, stops, levels)[0].astype(curve.dtype)
    mapped: PixelArray = exposed[curve]
    return mapped


def _curve(size: int, stops: float, levels: Levels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For each luma code value the new one, and the factor on the colour differences."""
    gain = 2 ** (stops * ENCODING)
    codes = np.arange(size, dtype=np.float64)
    shares = (codes - levels.black) / levels.span
    bent = np.interp(shares, [0, min(KNEE, KNEE / gain), 1], [0, min(KNEE * gain, KNEE), 1])
    new = np.where((shares > 0) & (shares < 1), levels.black + bent * levels.span, codes)
    gains = np.where(shares > 0, (new - levels.black) / np.maximum(codes - levels.black, 1), 1)
    return np.rint(new).astype(np.float32), gains.astype(np.float32)
