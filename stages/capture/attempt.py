"""One opening of a live source: opened, read and closed in a thread of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from stages.bracket import BracketControl
from stages.errors import LumabraidError
from stages.frame import Frame, StreamInfo
from stages.stage import Source

_KEPT_FRAMES = 4
"""Frames that wait for whoever takes them: enough for a hiccup, too few to be felt as delay."""


class Attempt:
    """A source and the thread that it lives in.

    What PyAV opens must not be touched by two threads, and what hangs in a driver cannot be ended: so nobody else
    touches the source, and whoever has lost patience abandons the attempt. The thread then ends as soon as the source
    lets it. Everything public is read under ``changed``, which is notified of everything that happens.
    """

    def __init__(self, make: Callable[[], Source], changed: Condition) -> None:
        """Start to open the source that ``make`` makes."""
        self.info: StreamInfo | None = None
        """Once it is open."""
        self.bracket: BracketControl | None = None
        """The source's, once it is open."""
        self.over = False
        """There will be no more frames; the source may not be closed yet."""
        self.error: Exception | None = None
        """Why it is over, unless it just ended."""
        self.delivered = 0
        """Frames read so far."""
        self.overtaken = 0
        """Frames that nobody took in time."""
        self.started_s = self.sign_s = time.monotonic()
        """When it began, and when it last gave a sign of life."""
        self._changed = changed
        self._make = make
        self._source: Source | None = None
        self._abandoned = False
        self._frames: deque[tuple[Frame, float]] = deque()
        # A daemon, so that a source that hangs cannot keep the process alive.
        self._thread = Thread(target=self._run, name="live source", daemon=True)
        self._thread.start()

    def take(self) -> tuple[Frame, float] | None:
        """The oldest frame that waits and when it came, on the monotonic clock."""
        return self._frames.popleft() if self._frames else None

    def abandon(self) -> None:
        """Want nothing more of it; does not wait."""
        self._abandoned = True
        self._frames.clear()
        if self._source is not None:
            self._source.interrupt()

    @property
    def is_alive(self) -> bool:
        """Whether its thread has not ended yet."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of its thread."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        error: Exception | None = None
        try:
            source = self._source = self._make()
            try:
                self._read(source)
            except Exception as caught:
                error = caught
            self._finish(error)
            source.close()
        except Exception as caught:
            self._finish(caught)
        self._source = None

    def _read(self, source: Source) -> None:
        if self._abandoned:
            return
        info = source.open()
        with self._changed:
            self.info, self.bracket = info, source.bracket
            self.sign_s = time.monotonic()
            self._changed.notify_all()
        while not self._abandoned and (frame := source.read()) is not None:
            self._deliver(frame)

    def _deliver(self, frame: Frame) -> None:
        with self._changed:
            self.sign_s = time.monotonic()
            self.delivered += 1
            if self._abandoned:
                return
            if len(self._frames) >= _KEPT_FRAMES:
                # Two, one of either exposure: a reader that takes every second frame would see one exposure only.
                self._frames.popleft()
                self._frames.popleft()
                self.overtaken += 2
            self._frames.append((frame, self.sign_s))
            self._changed.notify_all()

    def _finish(self, error: Exception | None) -> None:
        """Say that it is over; an error of ours without its traceback, which would keep pictures in memory."""
        with self._changed:
            if not self.over:
                self.over = True
                self.error = type(error)(str(error)) if isinstance(error, LumabraidError) else error
            self._changed.notify_all()
