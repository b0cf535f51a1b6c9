"""How the pictures of one frame are to be put together, as far as the maps at the working size tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow
from stages.alignment.confidence import CHECKED, Confidence, is_smeared
from stages.alignment.exposure import Spots
from stages.alignment.grain import stillness
from stages.alignment.intensity import IntensityMapping
from stages.alignment.memory import Memory
from stages.alignment.sampling import sample
from stages.compiling import kernel
from stages.frame import ExposurePair, PixelArray, Planes

_STILL_CREDIT = np.float32(3)
"""A frame of which noise was taken, that stands still, counts for so many frames more."""
_ONE, _LITTLE = np.float32(1), np.float32(1e-6)
LEAST_SHARE = 0.08
"""Of what is remembered in the whole picture: less is not worth a warp."""

FloatMap = npt.NDArray[np.float32]
"""(h, w) at the working size."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A frame of the other exposure beside the reference, and how it fits."""

    planes: Planes
    """As captured."""
    mapping: IntensityMapping
    flow: Flow
    """(h, w, 2) from the reference to this frame, at the working size."""
    confidence: Confidence
    excess: FloatMap | None
    """(any height, any width) code values that the mapping leaves out of the luma of the reference's colours; None
    where it leaves out none, as of a reference that is over."""
    flooded: FloatMap | None
    """In [0, 1], what light from elsewhere makes of a reference that is over; None of one that is under, or where its
    shutter smears nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """The frame before, as far as it is remembered here."""

    memory: Memory
    still: FloatMap
    """In [0, 1]: 1 where moving it takes nothing of its sharpness."""
    trust: FloatMap
    """In [0, 1], that it shows the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A frame to be laid over what is there of the other exposure."""

    side: Side
    agreed: FloatMap
    """In [0, 1], that both show the same, at the spots."""
    kept: FloatMap
    """In [0, 1] of what is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Of one frame."""

    pair: ExposurePair
    first: Side
    """The pair's neighbour."""
    recall: Recall | None
    layers: tuple[Layer, ...]
    confidence: Confidence
    """Where the other exposure is seen, not guessed."""
    flooded: FloatMap | None
    """In [0, 1], how far the other exposure stands in for a reference that is over; None: nowhere."""
    spots: Spots

    @property
    def frames_seen(self) -> int:
        """That followed one another before this one."""
        return self.recall.memory.frames if self.recall is not None else 0

    @property
    def guesses(self) -> bool:
        """Whether anything is not fully trusted, where the reference stands in."""
        return bool(self.confidence.min() < 1)

    @property
    def checks(self) -> bool:
        """Whether pixels that are not fully trusted are held to what the reference shows."""
        return self.guesses and not is_smeared(self.first.flow)

    @property
    def curve(self) -> PixelArray:
        """For each luma code value of the reference that of the neighbour."""
        mapping = self.first.mapping
        return mapping.under_to_over if self.pair.reference_is_under else mapping.over_to_under


def recall(pair: ExposurePair, first: Side, memory: Memory) -> Recall:
    """The frame before, as seen from a frame of which it is the pair's neighbour."""
    still = stillness(first.flow, pair.reference.planes.width)
    return Recall(memory, still, sample(memory.confidence, first.flow) * first.confidence)


def make_plan(pair: ExposurePair, sides: Sequence[Side], recalled: Recall | None) -> Plan:
    """The plan of a frame.

    Args:
        pair: names the reference.
        sides: the pair's neighbour first, then the frame on the other side where there is one.
        recalled: the frame before, if that is the pair's neighbour.
    """
    first = sides[0]
    confidence = first.confidence
    spots = Spots.over(pair.reference.planes, confidence)
    layers = []
    for side in sides[1:]:
        agreed = np.minimum(confidence[spots.small], side.confidence[spots.small])
        kept, both = np.empty_like(confidence), np.empty_like(confidence)
        still = np.zeros_like(confidence) if recalled is None else recalled.still
        _share(confidence, side.confidence, still, kept, both)
        layers.append(Layer(side, agreed, kept))
        confidence = both
    flooded = [side.flooded for side in sides if side.flooded is not None and side.flooded.any()]
    return Plan(
        pair, first, recalled, tuple(layers), confidence, np.maximum.reduce(flooded) if flooded else None, spots
    )


@kernel
def _share(there: FloatMap, beside: FloatMap, still: FloatMap, kept: FloatMap, both: FloatMap) -> None:
    """Writes what is kept of what is there where a frame is laid over it, and the trust in the two together.

    Args:
        there: trust in what is there.
        beside: in the frame.
        still: of what is there.
        kept: written to.
        both: written to.
    """
    for y in range(kept.shape[0]):
        for x in range(kept.shape[1]):
            one, other = there[y, x], beside[y, x]
            say = (_ONE + _STILL_CREDIT * still[y, x]) * one
            kept[y, x] = say / max(say + other, _LITTLE)
            # Where one of them is not fully trusted, pixels are checked.
            both[y, x] = min(max(one, other), CHECKED + (_ONE - CHECKED) * min(one, other))
