"""Both exposures at the time of one frame, from all that was seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.alignment.blend import blend_planes
from stages.alignment.camera import Flow
from stages.alignment.confidence import Confidence
from stages.alignment.grain import Grain, memory_share, steady
from stages.alignment.intensity import IntensityMapping
from stages.alignment.levels import Levels
from stages.alignment.memory import Memory
from stages.alignment.motion import falling
from stages.alignment.resampling import sample
from stages.alignment.substitute import continue_into_saturated, reference_at_exposure, soften_grain
from stages.alignment.warp import Warp, warp_planes
from stages.frame import ExposurePair, Planes

_STILL_PX = (0.1, 0.4)
"""A warp by up to the first leaves the picture sharp, from the second it takes what any warp takes."""
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


def assemble(pair: ExposurePair, sides: Sequence[Side], memory: Memory | None) -> tuple[Planes, Planes, Confidence]:
    """The reference, the other exposure on its pixel grid, and where that is seen and not guessed.

    Args:
        pair: names the reference.
        sides: the pair's neighbour first, then the frame on the other side where there is one.
        memory: of the frame before, if that is the pair's neighbour.
    """
    reference, first = pair.reference.planes, sides[0]
    planes, credit = first.planes, np.ones_like(first.confidence)
    warp = Warp(first.flow, reference)
    if memory is not None:
        planes = memory.reference
        still = _stillness(first.flow, reference.width)
        credit += _STILL_CREDIT * still
        trust = sample(memory.confidence, first.flow) * first.confidence
        share = trust * memory_share(Grain.of(reference.luma, reference.bit_depth), still)
        if share.mean() > _LEAST_SHARE:
            reference = steady(reference, warp(memory.neighbour), share)
    moved, confidence = warp(planes), first.confidence
    for side in sides[1:]:
        say = credit * confidence
        share = say / np.maximum(say + side.confidence, np.float32(1e-6))
        moved = blend_planes(moved, warp_planes(side.planes, side.flow), share)
        confidence = np.maximum(confidence, side.confidence)
    if confidence.min() < 1:
        moved = blend_planes(moved, _stand_in(pair, reference, first.mapping, moved, confidence), confidence)
    return reference, moved, confidence


def _stillness(flow: Flow, width: int) -> npt.NDArray[np.float32]:
    """(h, w) in [0, 1]: 1 where a warp along the flow, at a full width, takes nothing of the sharpness."""
    moved_px = np.hypot(flow[..., 0], flow[..., 1]) * np.float32(width / flow.shape[1])
    return falling(moved_px, _STILL_PX)


def _stand_in(
    pair: ExposurePair, reference: Planes, mapping: IntensityMapping, neighbour: Planes, confidence: Confidence
) -> Planes:
    """The reference at the neighbour's exposure."""
    levels = Levels.of(pair.reference.color, reference.bit_depth)
    if pair.reference_is_under:
        return reference_at_exposure(soften_grain(reference), mapping.under_to_over, levels)
    stand_in = reference_at_exposure(reference, mapping.over_to_under, levels)
    return continue_into_saturated(stand_in, reference, levels, neighbour, confidence)
