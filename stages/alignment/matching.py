"""How two frames of different exposure fit together, found at a working size."""

from __future__ import annotations

import cv2
import numpy as np

from stages.alignment.camera import Picture
from stages.alignment.confidence import confidence_map
from stages.alignment.crew import Crew
from stages.alignment.intensity import IntensityMapping, lookup
from stages.alignment.levels import eight_bit
from stages.alignment.motion import Motion, MotionEstimator
from stages.alignment.overlap import overlap
from stages.alignment.plan import Side
from stages.alignment.resampling import shrink
from stages.alignment.sampling import sample
from stages.alignment.tracking import MappingTracker
from stages.frame import ExposurePair, PixelArray

_GRAIN_BLUR_PX = 0.8
"""Deviation of the blur that takes the edge off sensor noise before pictures are compared."""


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
        self._last: tuple[PixelArray, PixelArray] | None = None

    def match(self, pair: ExposurePair) -> Side:
        """The neighbour as seen from the reference."""
        reference, neighbour, mapping = self._pictures(pair)
        motion = self._motion.estimate(reference, neighbour)
        return _side(pair, mapping, reference, neighbour, motion, self._crew)

    def match_both(self, pair: ExposurePair) -> tuple[Side, Side]:
        """The neighbour as seen from the reference, and the reference as seen from the neighbour."""
        reference, neighbour, mapping = self._pictures(pair)
        there, back = self._motion.estimate_both(reference, neighbour)
        reverse = ExposurePair(pair.neighbour, pair.reference, not pair.reference_is_under, pair.ratio_stops)
        return self._crew.both(
            lambda: _side(pair, mapping, reference, neighbour, there, self._crew),
            lambda: _side(reverse, mapping, neighbour, reference, back, self._crew),
        )

    def _pictures(self, pair: ExposurePair) -> tuple[Picture, Picture, IntensityMapping]:
        """Reference and neighbour in the over frame's intensities."""
        bit_depth = pair.reference.planes.bit_depth
        reference, neighbour = self._reduced(pair)
        under, over = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        mapping = self._mapping.follow(pair, *overlap(under, over, bit_depth))
        if pair.reference_is_under:
            reference = lookup(reference, mapping.under_to_over)
        else:
            neighbour = lookup(neighbour, mapping.under_to_over)
        return _picture(reference, bit_depth), _picture(neighbour, bit_depth), mapping

    def _reduced(self, pair: ExposurePair) -> tuple[PixelArray, PixelArray]:
        """Luma of reference and neighbour at the working size; the neighbour as a rule was the last reference."""
        here, there = pair.reference.planes.luma, pair.neighbour.planes.luma
        reference = shrink(here, self._long_side_px)
        if self._last is not None and self._last[0] is there:
            neighbour = self._last[1]
        else:
            neighbour = shrink(there, self._long_side_px)
        self._last = here, reference
        return reference, neighbour


def _side(
    pair: ExposurePair,
    mapping: IntensityMapping,
    reference: Picture,
    neighbour: Picture,
    motion: Motion,
    crew: Crew,
) -> Side:
    confidence = confidence_map(reference, sample(neighbour, motion.flow), motion, crew)
    return Side(pair.neighbour.planes, mapping, motion.flow, confidence)


def _picture(luma: PixelArray, bit_depth: int) -> Picture:
    """8 bit, the grain softened."""
    return np.asarray(cv2.GaussianBlur(eight_bit(luma, bit_depth), (0, 0), _GRAIN_BLUR_PX), np.uint8)
