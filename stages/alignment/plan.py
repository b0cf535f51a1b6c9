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
from stages.alignment.resampling import sample
from stages.frame import ExposurePair, PixelArray, Planes

_STILL_CREDIT = 3.0
"""A frame of which noise was taken, that stands still, counts for so many frames more."""
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


def make_plan(pair: ExposurePair, sides: Sequence[Side], memory: Memory | None) -> Plan:
    """The plan of a frame.

    Args:
        pair: names the reference.
        sides: the pair's neighbour first, then the frame on the other side where there is one.
        memory: of the frame before, if that is the pair's neighbour.
    """
    first = sides[0]
    confidence, credit, recall = first.confidence, np.ones_like(first.confidence), None
    spots = Spots.over(pair.reference.planes, confidence)
    if memory is not None:
        still = stillness(first.flow, pair.reference.planes.width)
        credit += _STILL_CREDIT * still
        recall = Recall(memory, still, sample(memory.confidence, first.flow) * confidence)
    layers = []
    for side in sides[1:]:
        say = credit * confidence
        kept = say / np.maximum(say + side.confidence, np.float32(1e-6))
        layers.append(Layer(side, np.minimum(confidence, side.confidence)[spots.small], kept))
        # Where one of them is not fully trusted, pixels are checked.
        least = CHECKED + (1 - CHECKED) * np.minimum(confidence, side.confidence)
        confidence = np.minimum(np.maximum(confidence, side.confidence), least)
    return Plan(pair, first, recall, tuple(layers), confidence, spots)
