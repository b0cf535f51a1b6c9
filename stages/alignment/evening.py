"""Frames whose exposure is known to be off before they are aligned: the first ones of a stream.

Later ones are evened out by what is remembered (``stages.alignment.exposure``).
"""

from __future__ import annotations

from dataclasses import replace

from stages.alignment.crew import Crew
from stages.alignment.exposure import exposed_by
from stages.alignment.levels import Levels
from stages.frame import ExposurePair, Frame


class Evener:
    """Exposes frames as they should have been.

    Args:
        crew: does it.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._evened: tuple[tuple[Frame, Frame], ...] = ()
        """Of the last pair: as captured, and evened out."""

    def even(self, pair: ExposurePair) -> ExposurePair:
        """A pair of frames without their tremors; the same object where they have none."""
        if pair.reference.tremor_stops == 0 == pair.neighbour.tremor_stops:
            self.forget()
            return pair
        captured = pair.reference, pair.neighbour
        reference, neighbour = (self._of(frame) for frame in captured)
        self._evened = (captured[0], reference), (captured[1], neighbour)
        return replace(pair, reference=reference, neighbour=neighbour)

    def forget(self) -> None:
        """Let go of the last pair's frames."""
        self._evened = ()

    def _of(self, frame: Frame) -> Frame:
        for captured, evened in self._evened:
            if captured is frame:
                return evened
        planes = frame.planes
        exposed = exposed_by(planes, -frame.tremor_stops, Levels.of(frame.color, planes.bit_depth), self._crew)
        return frame if exposed is planes else replace(frame, planes=exposed, tremor_stops=0.0)
