"""Motion blur: what the open shutter of the longer exposure makes of a scene before a moving camera.

The over frame adds up light for as long as its shutter is open, and a camera that pans smears it; the under frame is
sharp. Compared as they are, the two show different things: a dark post before a bright window, for one, is white in
the over frame as soon as the window's light reached its pixels for a part of the time. So the under frame's light is
added up along the motion, too, before the pair is compared.

For how much of the time from frame to frame the shutter is open, the frames themselves tell: it is what makes the
edges of the under frame most like those of the over frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow, Picture
from stages.alignment.crew import Crew
from stages.alignment.intensity import lookup
from stages.alignment.levels import Levels, eight_bit
from stages.alignment.lifting import Lifted
from stages.alignment.motion import Motion, typical_px
from stages.alignment.resampling import resize
from stages.alignment.smear import INSTANTS, Tables, measure, smear
from stages.compiling import kernel
from stages.frame import ExposurePair, PixelArray

SHARES = tuple(instants / INSTANTS for instants in range(1, INSTANTS + 1, 4))
"""Of the time from frame to frame, that are tried; the first is next to nothing."""
_TELLING = 0.95
"""An open shutter must leave less than so much of the difference that a closed one leaves: noise that is averaged does
a little, too."""
_KEPT_SHARE = 0.8
"""Of what was measured, from pair to pair."""
_LEAST_SMEAR_PX = 2.5
"""Of most of the picture; less is forgiven when frames are compared."""
_MEASURED_ACROSS = 80
"""Pixels at which the shares are tried, along a row."""
_DEPARTURE_PX = np.float32(3)
_AROUND = np.ones((7, 7), np.uint8)
"""What does not move with the camera is known no better than to some pixels."""
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
    """(h, w, 2) in one interval from frame to frame, 0 about what does not move with the camera; None where hardly
    anything moves."""


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

    @property
    def smear_px(self) -> float:
        """How far most of the picture moves while the shutter is open; 0 before anything was seen to move."""
        return self.open_share * self._moving.typical_px if self._moving is not None else 0.0

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
        if moving is None or moving.field is None or self.smear_px < _LEAST_SMEAR_PX:
            return None
        field, tables = moving.field, Tables.of(exposures.levels, under.itemsize)
        light, smeared = lookup(under, tables.light), np.empty_like(under)

        def work(start: int, end: int) -> None:
            smear(light, tables.codes, field, np.float32(share), smeared, start, end)

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
        # Frames between the two may have been lost.
        interval = np.float32(1 / abs(pair.index - pair.neighbour.index))
        length_px = typical_px(motion.flow) * float(interval)
        if length_px < _LEAST_SMEAR_PX:
            self._moving = _Moving(pair.index, shape, length_px, None)
            return
        camera = resize(motion.camera, height, width)
        field = _with_camera(motion.flow, camera) if is_smear_known else motion.flow
        self._moving = _Moving(pair.index, shape, length_px, interval * field)
        misses, tables = np.zeros(len(SHARES)), Tables.of(exposures.levels, exposures.under.itemsize)
        excess = exposures.lifted.excess
        # Flow between frames that are not smeared alike bends to make them alike; the camera's motion does not.
        measure(
            exposures.under,
            exposures.over,
            exposures.lifted.curve,
            _NO_EXCESS if excess is None else excess,
            tables.light,
            tables.codes,
            camera,
            interval,
            pair.reference_is_under,
            max(1, width // _MEASURED_ACROSS),
            misses,
        )
        self._misses = _KEPT_SHARE * self._misses + (1 - _KEPT_SHARE) * misses


def rehearse_shutter(pair: ExposurePair, crew: Crew) -> None:
    """Goes through all of it as for a camera that moves fast with its shutter open, as few begin to."""
    luma, bit_depth = pair.reference.planes.luma, pair.reference.planes.bit_depth
    levels = Levels.of(pair.reference.color, bit_depth)
    lifted = Lifted(luma, Tables.of(levels, luma.itemsize).codes[: 1 << bit_depth], None, np.empty(0, np.float32))
    exposures = Exposures(luma, eight_bit(luma, bit_depth), lifted, levels)
    flow = np.full((*luma.shape, 2), _LEAST_SMEAR_PX, np.float32)
    shutter = Shutter(crew)
    shutter.watch(pair, exposures, Motion(flow, flow[..., 0], flow), is_smear_known=True)
    shutter._misses[:] = np.arange(len(SHARES))[::-1]
    shutter.smeared(exposures)


def _with_camera(flow: Flow, camera: Flow) -> Flow:
    """A flow, 0 where it departs from the camera's motion and around."""
    field, departs = flow.copy(), np.empty(flow.shape[:2], np.uint8)
    _find_departures(field, camera, departs)
    field[cv2.dilate(departs, _AROUND) > 0] = 0
    return field


@kernel
def _find_departures(flow: Flow, camera: Flow, departs: npt.NDArray[np.uint8]) -> None:
    for y in range(departs.shape[0]):
        for x in range(departs.shape[1]):
            across, down = flow[y, x, 0] - camera[y, x, 0], flow[y, x, 1] - camera[y, x, 1]
            departs[y, x] = max(abs(across), abs(down)) > _DEPARTURE_PX
