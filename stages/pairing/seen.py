"""A frame on its way through pairing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stages.frame import Frame
from stages.pairing.comparison import Shift, shift_of_brightness, shift_of_metadata
from stages.pairing.signature import Signature


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame and what was measured of it."""

    frame: Frame
    signature: Signature

    def is_told(self, *, by_metadata: bool) -> bool:
        """Whether its exposure is known, whatever the picture shows."""
        return by_metadata and self.frame.exposure is not None

    def shift_to(self, other: Seen, *, by_metadata: bool) -> Shift:
        """The exposure of ``other`` over this one's."""
        if by_metadata and self.frame.exposure is not None and other.frame.exposure is not None:
            return shift_of_metadata(self.frame.exposure, other.frame.exposure)
        return shift_of_brightness(self.signature, other.signature)

    def with_tremor(self, stops: float) -> Seen:
        """The same, its frame known to be exposed by so much more than it should be."""
        return Seen(replace(self.frame, tremor_stops=stops), self.signature)

    def matches(self, other: Seen) -> bool:
        """Whether both have pixels of one kind: size, bit depth and colour; a live source may change them."""
        mine, its = self.frame.planes, other.frame.planes
        return (
            mine.luma.shape == its.luma.shape
            and mine.bit_depth == its.bit_depth
            and self.frame.color == other.frame.color
        )
