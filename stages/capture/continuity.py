"""Indices and times that go on from one connection to the next."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from stages.frame import Frame

_JUMP_S = 5
"""A stream whose times run away from the clock by this much between two frames has begun to count anew."""
_USUAL_FRAME_RATE = Fraction(25)


class Continuity:
    """Places the frames of one connection after another on one time line.

    Within a connection frames keep their distances. The first of each comes where the clock is: an outage is a gap in
    time, and in index too, so that no frame is taken for the neighbour of one from before the gap.
    """

    def __init__(self, time_base: Fraction) -> None:
        """``time_base`` is what all frames are given, in seconds."""
        self._time_base = time_base
        self._frame_rate = _USUAL_FRAME_RATE
        self._is_new = True
        self._clock_offset: Fraction | None = None
        self._came_s = 0.0
        self._time, self._time_offset = Fraction(0), Fraction(0)
        self._pts = self._index = self._index_offset = 0

    def begin(self, frame_rate: Fraction | None) -> None:
        """The next frame is the first of a new connection."""
        self._is_new = True
        self._frame_rate = frame_rate or _USUAL_FRAME_RATE

    def place(self, frame: Frame, came_s: float) -> Frame:
        """The frame with its index and time on the common line.

        Args:
            frame: as its connection counts.
            came_s: when it came, on the monotonic clock.
        """
        time = frame.pts * frame.time_base
        pts_after = self._pts + 1
        if self._clock_offset is None:
            self._clock_offset = time - Fraction(came_s)
            pts_after = round(time / self._time_base)
        elif self._is_new or self._jumps(time, came_s):
            now = max(Fraction(came_s) + self._clock_offset, self._time + 1 / self._frame_rate)
            if self._is_new:
                self._index_offset = self._index + round((now - self._time) * self._frame_rate) - frame.index
            self._time_offset = now - time
        self._is_new = False
        self._came_s = came_s
        self._time = time + self._time_offset
        self._pts = max(round(self._time / self._time_base), pts_after)
        self._index = self._index_offset + frame.index
        return dataclasses.replace(
            frame,
            index=self._index,
            pts=self._pts,
            time_base=self._time_base,
            duration=round(frame.duration * frame.time_base / self._time_base),
        )

    def _jumps(self, time: Fraction, came_s: float) -> bool:
        """Whether the stream's own clock was set since the frame before this one."""
        step = time + self._time_offset - self._time
        return abs(step - Fraction(came_s - self._came_s)) > _JUMP_S
