"""How two frames of different exposure fit together, found at a working size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np

from stages.alignment.camera import Picture
from stages.alignment.confidence import confidence_map
from stages.alignment.crew import Crew
from stages.alignment.flood import flooded_map
from stages.alignment.intensity import IntensityMapping
from stages.alignment.levels import Levels, eight_bit
from stages.alignment.lifting import Lifter, Reduced
from stages.alignment.motion import Motion, MotionEstimator
from stages.alignment.overlap import shared, shift_between
from stages.alignment.plan import Side
from stages.alignment.resampling import shrink
from stages.alignment.sampling import sample
from stages.alignment.shutter import Exposures, Shutter
from stages.alignment.substitute import saturating_codes
from stages.alignment.tracking import MappingTracker
from stages.frame import ExposurePair, PixelArray, Planes

Motions = TypeVar("Motions", bound=tuple[Motion, ...])

_REACH = 0.75
"""Of the smear of most of the picture, to each side; it is longer than that towards a picture's corners."""
_GRAIN_BLUR_PX = 0.8
"""Deviation of the blur that takes the edge off sensor noise before pictures are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """A pair in the over frame's intensities."""

    reference: Picture
    neighbour: Picture
    mapping: IntensityMapping
    exposures: Exposures
    sharp: Picture | None = None
    """The under frame as captured, on its own grid, where the one among the others is smeared as the over frame is."""
    reach_px: int = 0
    """How far smear brings light at most."""


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
        self._shutter = Shutter(crew)
        self._last: tuple[Planes, Reduced] | None = None

    def forget(self) -> None:
        """Let go of the last frame."""
        self._last = None
        self._shutter.forget()

    def match(self, pair: ExposurePair) -> Side:
        """The neighbour as seen from the reference."""
        matched, (motion,) = self._moved(pair, lambda *pictures: (self._motion.estimate(*pictures),))
        return _side(pair, matched, motion, self._crew)

    def match_both(self, pair: ExposurePair) -> tuple[Side, Side]:
        """The neighbour as seen from the reference, and the reference as seen from the neighbour."""
        matched, (there, back) = self._moved(pair, self._motion.estimate_both)
        reverse = ExposurePair(pair.neighbour, pair.reference, not pair.reference_is_under, pair.ratio_stops)
        turned = replace(matched, reference=matched.neighbour, neighbour=matched.reference)
        return self._crew.both(
            lambda: _side(pair, matched, there, self._crew),
            lambda: _side(reverse, turned, back, self._crew),
        )

    def _moved(self, pair: ExposurePair, estimate: Callable[[Picture, Picture], Motions]) -> tuple[_Matched, Motions]:
        """The pair and the motions in it, the first of them from the reference to the neighbour.

        How an open shutter smears what moves is known from the motion of the frame before; where no frame was before,
        motion is found twice.
        """
        matched, shutter = self._matched(pair), self._shutter
        motions: Motions | None = None
        if not shutter.follows(pair, matched.reference.shape):
            motions = estimate(matched.reference, matched.neighbour)
            shutter.watch(pair, matched.exposures, motions[0], is_smear_known=False)
        smeared = shutter.smeared(matched.exposures)
        if smeared is not None:
            reach_px = int(np.ceil(_REACH * shutter.smear_px))
            matched = _with_under(matched, _picture(smeared, pair.reference.planes.bit_depth), reach_px, pair)
        if motions is None or smeared is not None:
            motions = estimate(matched.reference, matched.neighbour)
            shutter.watch(pair, matched.exposures, motions[0], is_smear_known=matched.sharp is not None)
        return matched, motions

    def _matched(self, pair: ExposurePair) -> _Matched:
        bit_depth = pair.reference.planes.bit_depth
        reference, neighbour = self._reduced(pair)
        under, over = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        shift = shift_between(under.luma, over.luma, bit_depth)
        mapping = self._mapping.follow(pair, *shared(under.luma, over.luma, shift))
        lifted = self._lifter.lift(pair, under, over, mapping.under_to_over, shift)
        mapping = replace(mapping, under_to_over=lifted.curve)
        pictures = (_picture(lifted.luma, bit_depth), _picture(over.luma, bit_depth))
        levels = Levels.of(pair.reference.color, bit_depth)
        exposures = Exposures(_soften(under.luma), pictures[1], lifted, levels)
        return _Matched(*(pictures if pair.reference_is_under else pictures[::-1]), mapping, exposures)

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
    moved = sample(matched.neighbour, motion.flow)
    sharp, flooded = matched.sharp, None
    confidence = confidence_map(matched.reference, moved, motion, crew, is_smear_known=sharp is not None)
    excess = matched.exposures.lifted.excess if pair.reference_is_under else None
    if sharp is not None:
        white, reach_px = saturating_codes(Levels.of(pair.reference.color, 8)), matched.reach_px
        if pair.reference_is_under:
            over, smeared = moved, matched.reference
        else:
            over, sharp, smeared = matched.reference, sample(sharp, motion.flow), moved
        flooded = flooded_map(over, sharp, smeared, confidence, reach_px=reach_px, white=white)
        if pair.reference_is_under:
            confidence, flooded = confidence - flooded, None
    return Side(pair.neighbour.planes, matched.mapping, motion.flow, confidence, excess, flooded)


def _with_under(matched: _Matched, under: Picture, reach_px: int, pair: ExposurePair) -> _Matched:
    """The same with another under frame, smeared as the over frame is."""
    if pair.reference_is_under:
        return replace(matched, reference=under, sharp=matched.reference, reach_px=reach_px)
    return replace(matched, neighbour=under, sharp=matched.neighbour, reach_px=reach_px)


def _picture(luma: PixelArray, bit_depth: int) -> Picture:
    """8 bit, the grain softened."""
    return np.asarray(_soften(eight_bit(luma, bit_depth)), np.uint8)


def _soften(luma: PixelArray) -> PixelArray:
    soft: Any = cv2.GaussianBlur(luma, (0, 0), _GRAIN_BLUR_PX)
    return np.asarray(soft)
