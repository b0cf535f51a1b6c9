"""How two frames of different exposure fit together, found at a working size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.alignment.camera import Picture
from stages.alignment.confidence import confidence_map
from stages.alignment.crew import Crew
from stages.alignment.intensity import IntensityMapping
from stages.alignment.levels import eight_bit
from stages.alignment.lifting import Lifter, Reduced
from stages.alignment.motion import Motion, MotionEstimator
from stages.alignment.overlap import shared, shift_between
from stages.alignment.plan import FloatMap, Side
from stages.alignment.resampling import shrink
from stages.alignment.sampling import sample
from stages.alignment.tracking import MappingTracker
from stages.frame import ExposurePair, PixelArray, Planes

_GRAIN_BLUR_PX = 0.8
"""Deviation of the blur that takes the edge off sensor noise before pictures are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """A pair in the over frame's intensities."""

    reference: Picture
    neighbour: Picture
    mapping: IntensityMapping
    excess: FloatMap | None
    """Of the under frame, as ``Lifted`` has it."""


class Matcher:
    """Finds motion and trust between the frames of pairs.

    Args:
        working_long_side_px: of the pictures that are compared.
        crew: does it.
    """

    def __init__(self, working_long_side_px: int, crew: Crew) -> None:
        self._long_side_px = working_long_side_px
        self._crew = crew
        self._motion = MotionEstimator(crew)
        self._mapping = MappingTracker()
        self._lifter = Lifter()
        self._last: tuple[Planes, Reduced] | None = None

    def forget(self) -> None:
        """Let go of the last frame."""
        self._last = None

    def match(self, pair: ExposurePair) -> Side:
        """The neighbour as seen from the reference."""
        matched = self._matched(pair)
        motion = self._motion.estimate(matched.reference, matched.neighbour)
        return _side(pair, matched, motion, self._crew)

    def match_both(self, pair: ExposurePair) -> tuple[Side, Side]:
        """The neighbour as seen from the reference, and the reference as seen from the neighbour."""
        matched = self._matched(pair)
        there, back = self._motion.estimate_both(matched.reference, matched.neighbour)
        reverse = ExposurePair(pair.neighbour, pair.reference, not pair.reference_is_under, pair.ratio_stops)
        turned = replace(matched, reference=matched.neighbour, neighbour=matched.reference)
        return self._crew.both(
            lambda: _side(pair, matched, there, self._crew),
            lambda: _side(reverse, turned, back, self._crew),
        )

    def _matched(self, pair: ExposurePair) -> _Matched:
        bit_depth = pair.reference.planes.bit_depth
        reference, neighbour = self._reduced(pair)
        under, over = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        shift = shift_between(under.luma, over.luma, bit_depth)
        mapping = self._mapping.follow(pair, *shared(under.luma, over.luma, shift))
        lifted = self._lifter.lift(pair, under, over, mapping.under_to_over, shift)
        mapping = replace(mapping, under_to_over=lifted.curve)
        pictures = (_picture(lifted.luma, bit_depth), _picture(over.luma, bit_depth))
        return _Matched(*(pictures if pair.reference_is_under else pictures[::-1]), mapping, lifted.excess)

    def _reduced(self, pair: ExposurePair) -> tuple[Reduced, Reduced]:
        """Reference and neighbour at the working size; the neighbour as a rule was the last reference."""
        here, there = pair.reference.planes, pair.neighbour.planes
        reference = self._reduce(here)
        neighbour = self._last[1] if self._last is not None and self._last[0] is there else self._reduce(there)
        self._last = here, reference
        return reference, neighbour

    def _reduce(self, planes: Planes) -> Reduced:
        half_px = -(-self._long_side_px // 2)
        luma = shrink(planes.luma, self._long_side_px)
        small = [shrink(plane, half_px) for plane in planes.chroma]
        chroma = np.empty((2, *small[0].shape), planes.chroma.dtype)
        chroma[:] = small
        return Reduced(luma, chroma)


def _side(pair: ExposurePair, matched: _Matched, motion: Motion, crew: Crew) -> Side:
    confidence = confidence_map(matched.reference, sample(matched.neighbour, motion.flow), motion, crew)
    excess = matched.excess if pair.reference_is_under else None
    return Side(pair.neighbour.planes, matched.mapping, motion.flow, confidence, excess)


def _picture(luma: PixelArray, bit_depth: int) -> Picture:
    """8 bit, the grain softened."""
    return np.asarray(cv2.GaussianBlur(eight_bit(luma, bit_depth), (0, 0), _GRAIN_BLUR_PX), np.uint8)
