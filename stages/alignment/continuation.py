"""What saturated parts of a reference are taken for at the neighbour's exposure, where that cannot be trusted.

The mapping is asked for the mean of saturated surroundings, since from nearly white to white it rises so steeply that
for single pixels it would tell their noise; and trusted saturated parts of the neighbour around it say by how much it
is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from stages.alignment.confidence import Confidence
from stages.alignment.crew import Crew
from stages.alignment.fill import FloatImage, fill_from_surroundings
from stages.alignment.resampling import fit, reduce, resize
from stages.alignment.saturation import correct, map_evened, weigh_saturated
from stages.frame import PixelArray, Planes

FILL_SIZE_PX = 320
SMOOTH_SIZE_PX = 80
REACH_SHARE = 0.05
"""Deviation, as a share of the long side, of the neighbourhood that is asked."""
ENOUGH_KNOWN_SHARE = 0.1
"""Of the neighbourhood: with less trusted saturated content in it, it has less of a say."""
EVENNESS_SHARE = 1 / 160
"""Deviation, as a share of the long side, of the surroundings over which saturated tones are averaged."""
FAINT = 1e-3
"""Weight of a pixel's own tone in that mean: it counts where nothing around is saturated."""


@dataclass(frozen=True, slots=True, eq=False)
class Saturated:
    """A much reduced reference, some of which is saturated."""

    own: PixelArray
    """(h, w, 3) luma and both colour differences."""
    even: FloatImage
    """(h, w, 4) what ``weigh_saturated`` writes, averaged over the surroundings."""
    known: FloatImage
    """(h, w) in [0, 1]: saturated, and the neighbour can be trusted."""
    say: FloatImage
    """(h, w) in [0, 1]: how much of that there is around."""


def find_saturated(
    reference: Planes, confidence: Confidence, saturating: tuple[np.float32, np.float32], crew: Crew
) -> Saturated | None:
    """What is saturated of a reference; None where nothing is.

    Args:
        reference: at full size.
        confidence: (h, w) where the neighbour can be trusted, at most ``FILL_SIZE_PX`` long.
        saturating: luma up to which a pixel speaks for itself, and from which it is saturated.
        crew: lends memory.
    """
    height, width = confidence.shape
    own = thumbnails(reference, height, width)
    weighted = crew.scratch("saturated", (height, width, 4), np.float32)
    if not weigh_saturated(own, saturating, weighted):
        return None
    known = weighted[..., 3] * confidence
    # So smooth a map is as good made of few pixels.
    few = fit(known, SMOOTH_SIZE_PX)
    around = cv2.GaussianBlur(few, (0, 0), REACH_SHARE * max(few.shape))
    say = np.minimum(resize(np.asarray(around, np.float32), height, width) / np.float32(ENOUGH_KNOWN_SHARE), 1)
    even = crew.scratch("even", weighted.shape, np.float32)
    cv2.GaussianBlur(weighted, (0, 0), EVENNESS_SHARE * max(height, width), dst=even)
    return Saturated(own, even, known, say)


def continue_saturated(
    saturated: Saturated, other: PixelArray, values: FloatImage, gains: FloatImage, top: int, crew: Crew
) -> FloatImage:
    """(3, h, w) what to take the neighbour for where the reference is saturated, as ``lay_luma`` takes it.

    Args:
        saturated: of the reference.
        other: (h, w, 3) ``thumbnails`` of the neighbour, on the reference's pixel grid.
        values: for each luma code value of the reference that of the neighbour.
        gains: for each the factor on the colour differences.
        top: largest code value.
        crew: lends memory; the result is valid until the next is asked for.
    """
    own, middle = saturated.own, np.float32((top + 1) // 2)
    mapped, miss = (crew.scratch(purpose, own.shape, np.float32) for purpose in ("mapped", "miss"))
    map_evened(own, saturated.even, values, gains, middle, np.float32(FAINT), other, mapped, miss)
    # The mapping knows what is nearly white from what is white, the surroundings how bright white is here.
    continued = crew.scratch("continuation", (3, *own.shape[:2]), np.float32)
    correct(mapped, saturated.say, fill_from_surroundings(miss, saturated.known), np.float32(top), continued)
    return continued


def thumbnails(planes: Planes, height: int, width: int) -> PixelArray:
    """(height, width, 3) luma and both colour differences, much reduced."""
    planar: Any = [_thumbnail(plane, height, width) for plane in (planes.luma, *planes.chroma)]
    merged: Any = cv2.merge(planar)
    return np.asarray(merged)


def thumbnail_step(full: int, width: int) -> int:
    """From one of the pixels that are asked to the next, for a plane and a thumbnail so wide."""
    return max(1, full // (2 * width))


def _thumbnail(plane: PixelArray, height: int, width: int) -> PixelArray:
    """A plane much reduced, from every so many pixels: all of them would say the same."""
    step = thumbnail_step(plane.shape[1], width)
    spots: Any = np.ascontiguousarray(plane[::step, ::step])
    return reduce(spots, height, width)
