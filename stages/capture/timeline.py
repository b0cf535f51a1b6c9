"""Gives every frame a presentation time later than the one before."""

from __future__ import annotations

from fractions import Fraction

_DISORDER_FRAMES = 8
"""How far back a pts may lie before it counts as a new start."""


class Timeline:
    """Passes a stream's own pts on unchanged and fills in for those missing or running backwards.

    A missing pts is placed by the frame rate. Two frames at one time, or a little out of order, are set half a frame
    apart. A longer jump back is a recording pasted behind another: its times follow on.
    """

    def __init__(self, *, time_base: Fraction, frame_rate: Fraction | None, start: int = 0) -> None:
        self._frame_duration = 1 / (frame_rate * time_base) if frame_rate else Fraction(1)
        self._offset = 0
        self._last: int | None = None
        self._anchor = Fraction(start)

    def place(self, pts: int | None) -> int:
        """The frame's pts, given what the stream says."""
        placed = self._anchor if self._last is None else self._anchor + self._frame_duration
        if pts is not None:
            known = Fraction(pts + self._offset)
            if self._last is None or known > self._last:
                placed = known
            elif self._last - known > _DISORDER_FRAMES * self._frame_duration:
                self._offset = round(placed) - pts
                placed = Fraction(round(placed))
            else:
                placed = self._last + self._frame_duration / 2
        self._anchor = placed
        earliest = round(placed) if self._last is None else self._last + 1
        self._last = max(earliest, round(placed))
        return self._last
