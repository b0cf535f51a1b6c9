"""What the stage keeps of the frame before, and for how long it is valid."""

from __future__ import annotations

from dataclasses import dataclass

from stages.alignment.confidence import Confidence
from stages.frame import ExposurePair, Planes


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The last aligned pair: both exposures at the time of one frame."""

    index: int
    """Of the frame they were made for."""
    reference: Planes
    """Its own exposure, noise taken away."""
    neighbour: Planes
    """The other exposure on its pixel grid."""
    confidence: Confidence
    """Where that other exposure was seen, not guessed."""
    reference_is_under: bool
    frames: int
    """How many followed one another up to this one."""

    def precedes(self, pair: ExposurePair) -> bool:
        """Whether the pair's neighbour is the frame remembered: after a cut, a gap or another size it is not."""
        planes = pair.reference.planes
        return (
            self.index == pair.neighbour.index
            and self.index < pair.reference.index
            and self.reference_is_under != pair.reference_is_under
            and (self.reference.height, self.reference.width) == (planes.height, planes.width)
            and self.reference.bit_depth == planes.bit_depth
        )
