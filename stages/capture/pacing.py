"""Lets frames go at the pace of their time stamps."""

from __future__ import annotations

import time
from threading import Event

_LATE_S = 1.0
"""A reader that is this much behind is not made to catch up: the clock is set anew."""


class Pace:
    """A clock that starts with the first frame. ``stop`` may come from any thread."""

    def __init__(self) -> None:
        self._stopped = Event()
        self._start_s: float | None = None

    def wait_for(self, time_s: float) -> bool:
        """Wait until the frame with this time stamp, in seconds, is due; False once stopped."""
        now_s = time.monotonic()
        if self._start_s is None or now_s - (self._start_s + time_s) > _LATE_S:
            self._start_s = now_s - time_s
        return not self._stopped.wait(max(self._start_s + time_s - now_s, 0.0))

    def stop(self) -> None:
        """Wait no more."""
        self._stopped.set()
