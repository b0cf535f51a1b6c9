"""Both exposures at the time of one frame, from all that was seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.alignment.camera import Flow
from stages.alignment.confidence import Confidence
from stages.alignment.crew import Crew
from stages.alignment.exposure import Spots, curve_exposed_by, difference_stops, exposed_by, tremor_stops
from stages.alignment.grain import Grain, memory_share, steady, stillness
from stages.alignment.intensity import IntensityMapping
from stages.alignment.levels import Levels
from stages.alignment.memory import Memory
from stages.alignment.resampling import sample
from stages.alignment.substitute import replace_untrusted
from stages.alignment.warp import lay_warped_over, warp_planes
from stages.frame import ExposurePair, Planes

_STILL_CREDIT = 3.0
"""A frame of which noise was taken, that stands still, counts for so many frames more."""
_LEAST_SHARE = 0.08
"""Of what is remembered in the whole picture: less is not worth a warp."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A frame of the other exposure beside the reference, and how it fits."""

    planes: Planes
    """As captured."""
    mapping: IntensityMapping
    flow: Flow
    """(h, w, 2) from the reference to this frame, at the working size."""
    confidence: Confidence


def assemble(
    pair: ExposurePair, sides: Sequence[Side], memory: Memory | None, crew: Crew
) -> tuple[Planes, Planes, Confidence]:
    """The reference, the other exposure on its pixel grid, and where that is seen and not guessed.

    Args:
        pair: names the reference.
        sides: the pair's neighbour first, then the frame on the other side where there is one.
        memory: of the frame before, if that is the pair's neighbour.
        crew: does it.
    """
    reference, first = pair.reference.planes, sides[0]
    levels = Levels.of(pair.reference.color, reference.bit_depth)
    spots = Spots.over(reference, first.confidence)
    credit = np.ones_like(first.confidence)
    if memory is None:
        (moved,) = warp_planes([first.planes], first.flow, crew)
    else:
        still = stillness(first.flow, reference.width)
        credit += _STILL_CREDIT * still
        trust = sample(memory.confidence, first.flow) * first.confidence
        before = spots.followed(memory.neighbour.luma, first.flow)
        tremor = difference_stops(before, reference.luma[spots.full], trust[spots.small], levels)
        reference = exposed_by(reference, tremor_stops(tremor, memory.frames), levels, crew)
        grain = Grain.of(reference.luma, reference.bit_depth)
        share = trust * memory_share(grain, still)
        if share.mean() > _LEAST_SHARE:
            moved, remembered = warp_planes([memory.reference, memory.neighbour], first.flow, crew, lent=1)
            reference = steady(reference, remembered, share, grain, crew)
        else:
            (moved,) = warp_planes([memory.reference], first.flow, crew)
    confidence = first.confidence
    if len(sides) > 1 or confidence.min() < 1:
        moved = _own(moved, first.planes, memory)
    for side in sides[1:]:
        both = np.minimum(confidence, side.confidence)[spots.small]
        seen = spots.followed(side.planes.luma, side.flow)
        tremor = difference_stops(moved.luma[spots.full], seen, both, levels)
        frames = memory.frames if memory is not None else 0
        other = exposed_by(side.planes, tremor_stops(tremor, frames), levels, crew)
        say = credit * confidence
        share = say / np.maximum(say + side.confidence, np.float32(1e-6))
        lay_warped_over(moved, other, side.flow, share, crew)
        confidence = np.maximum(confidence, side.confidence)
    if confidence.min() < 1:
        curve = first.mapping.under_to_over if pair.reference_is_under else first.mapping.over_to_under
        guess = curve[reference.luma[spots.full]]
        miss = difference_stops(moved.luma[spots.full], guess, confidence[spots.small], levels)
        curve = curve_exposed_by(curve, miss, levels)
        under = pair.reference_is_under
        replace_untrusted(moved, reference, confidence, curve, levels, crew, reference_is_under=under)
    return reference, moved, confidence


def _own(moved: Planes, captured: Planes, memory: Memory | None) -> Planes:
    """A picture that may be written to: what nothing moved is still another's."""
    if moved is captured or (memory is not None and moved is memory.reference):
        return Planes(moved.luma.copy(), moved.chroma.copy(), moved.bit_depth)
    return moved
