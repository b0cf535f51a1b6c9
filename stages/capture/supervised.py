"""Keeps a live source alive: notices when it is lost, and opens it again until it is back."""

from __future__ import annotations

import dataclasses
import logging
import math
import random
import time
from collections.abc import Callable
from threading import Condition
from typing import Final

from stages.capture.attempt import Attempt
from stages.capture.continuity import Continuity
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.steady_bracket import SteadyBracket
from stages.errors import DamagedSourceError, LumabraidError, SourceError
from stages.frame import Frame, StreamInfo
from stages.stage import Source

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 1.5
"""Between two attempts: short enough for a source that comes back to give frames within three seconds."""
_PROVEN_S: Final = 5.0
"""After a source has given frames for this long, pauses begin short again."""
_MOST_LEFT_BEHIND: Final = 3
"""Attempts that hang; with as many, no new one begins."""
_CLOSE_GRACE_S: Final = 1.0


class SupervisedSource(Source):
    """A live source that goes on through the loss of what it reads from.

    Each opening is an ``Attempt`` in a thread of its own; one that stalls, ends or breaks is abandoned, and the next
    begins after a pause, random up to a limit that doubles each time. ``read`` waits meanwhile. Frames go on by
    ``Continuity``: an outage is a gap in ``index`` and as long a gap in ``pts``. They may come back in another size.
    """

    def __init__(self, make: Callable[[], Source], settings: ReconnectConfig, *, name: str) -> None:
        """Supervise what ``make`` makes, anew for every attempt and in the attempt's thread.

        Args:
            make: gives a source that is not open yet.
            settings: when it is lost, and what then.
            name: for messages, without credentials.
        """
        self.reconnections = 0
        """How often the source was lost and came back."""
        self._make = make
        self._settings = settings
        self._name = name
        self._changed = Condition()
        self._attempt: Attempt | None = None
        self._left_behind: list[Attempt] = []
        self._interrupted = False
        self._info: StreamInfo | None = None
        self._continuity: Continuity | None = None
        self._failures = 0
        self._next_attempt_s = 0.0
        self._lost_s: float | None = None
        self._is_read = False
        self._overtaken = 0
        self._bracket: SteadyBracket | None = None

    @property
    def overrun(self) -> int:
        """Frames after the first ``read`` that newer ones overtook before they were read; gaps in ``index``."""
        with self._changed:
            return self._overtaken + (self._attempt.overtaken if self._attempt is not None else 0)

    @property
    def left_behind(self) -> int:
        """Attempts that were given up and have not ended yet."""
        with self._changed:
            return sum(attempt.is_alive for attempt in self._left_behind)

    def open(self) -> StreamInfo:
        """Open the source.

        Raises:
            SourceError: it cannot be opened, and is not to be waited for; or interrupted.
        """
        with self._changed:
            while not self._interrupted:
                if self._attempt is not None and self._attempt.info is not None:
                    return self._opened(self._attempt, self._attempt.info)
                self._changed.wait(self._look_after())
        raise SourceError(f"{self._name}: interrupted before it was open")

    def read(self) -> Frame | None:
        """The next frame, whatever that takes; None once interrupted.

        Raises:
            DamagedSourceError: the source was lost, and did not come back in ``give_up_s``.
        """
        with self._changed:
            if not self._is_read:
                # A camera films before anybody looks: that is no loss.
                self._is_read = True
                self._overtaken -= self.overrun
            while not self._interrupted:
                if self._attempt is not None and self._continuity is not None:
                    frame = self._continued(self._attempt, self._continuity)
                    if frame is not None:
                        return frame
                self._changed.wait(self._look_after())
        return None

    def interrupt(self) -> None:
        """End an ``open`` or ``read`` under way at once, and the attempt as soon as it lets itself be ended."""
        with self._changed:
            self._interrupted = True
            if self._attempt is not None:
                self._attempt.abandon()
            self._changed.notify_all()

    def close(self) -> None:
        """End the attempt; one that hangs is left behind in its thread."""
        with self._changed:
            self._interrupted = True
            if self._attempt is not None:
                self._abandon(self._attempt)
            ending = list(self._left_behind)
        deadline_s = time.monotonic() + _CLOSE_GRACE_S
        for attempt in ending:
            attempt.join(max(deadline_s - time.monotonic(), 0.0))

    def _look_after(self) -> float:
        """See to the attempt under way, or begin the one that is due; returns the seconds until the next look.

        Raises:
            SourceError: the first opening failed, or the source did not come back in time.
        """
        now_s = time.monotonic()
        give_up_at_s = self._give_up_at_s()
        if now_s >= give_up_at_s:
            raise DamagedSourceError(f"{self._name} was lost and did not come back in {self._settings.give_up_s:g} s")
        attempt = self._attempt
        if attempt is not None:
            lost_at_s = attempt.sign_s + self._patience_s(attempt)
            if not attempt.over and now_s < lost_at_s:
                return min(lost_at_s, give_up_at_s) - now_s
            self._lose(attempt, now_s)
        self._left_behind = [old for old in self._left_behind if old.is_alive]
        if now_s < self._next_attempt_s:
            return min(self._next_attempt_s, give_up_at_s) - now_s
        if len(self._left_behind) >= _MOST_LEFT_BEHIND:
            return _FIRST_PAUSE_S
        self._attempt = Attempt(self._make, self._changed)
        return 0.0

    def _give_up_at_s(self) -> float:
        if self._lost_s is None or self._settings.give_up_s is None:
            return math.inf
        return self._lost_s + self._settings.give_up_s

    def _patience_s(self, attempt: Attempt) -> float:
        """How long the attempt may give no sign of life."""
        return self._settings.stall_s if attempt.delivered else self._settings.open_timeout_s

    def _lose(self, attempt: Attempt, now_s: float) -> None:
        """Give the attempt up and plan the next.

        Raises:
            SourceError: the source could not be opened the first time; unexpected errors as they are.
        """
        self._abandon(attempt)
        if self._info is None and not self._settings.wait_for_source:
            raise attempt.error or SourceError(
                f"{self._name}: no answer within {self._settings.open_timeout_s:g} s; "
                "check the address, or raise open_timeout_s"
            )
        if self._lost_s is None:
            self._lost_s = attempt.sign_s
            what = "lost" if self._info is not None else "not there yet"
            _log.warning("%s: %s, %s; trying to reconnect", self._name, what, self._reason(attempt))
            if self._bracket is not None:
                self._bracket.lose()
        self._failures = 0 if attempt.sign_s - attempt.started_s > _PROVEN_S else self._failures + 1
        longest_s = min(_FIRST_PAUSE_S * 2.0**self._failures, _LONGEST_PAUSE_S)
        self._next_attempt_s = now_s + random.uniform(0.0, longest_s)

    def _reason(self, attempt: Attempt) -> str:
        """Why the attempt is over, for a person; the words of an unexpected error may hold an address."""
        if isinstance(attempt.error, LumabraidError):
            return str(attempt.error).removeprefix(self._name).lstrip(": ")
        if attempt.error is not None:
            return f"it failed with {type(attempt.error).__name__}"
        if attempt.over:
            return "the stream ended"
        return f"no frame for {self._patience_s(attempt):g} s"

    def _abandon(self, attempt: Attempt) -> None:
        attempt.abandon()
        self._overtaken += attempt.overtaken
        self._left_behind.append(attempt)
        self._attempt = None

    def _opened(self, attempt: Attempt, info: StreamInfo) -> StreamInfo:
        """The stream is there for the first time."""
        self._info = info
        self._continuity = Continuity(info.time_base)
        if attempt.bracket is not None:
            self.bracket = self._bracket = SteadyBracket(attempt.bracket)
        return dataclasses.replace(info, frame_count=None, container=None, video_stream=None)

    def _continued(self, attempt: Attempt, continuity: Continuity) -> Frame | None:
        """The next frame that waits, at its place after those before it."""
        taken = attempt.take()
        if taken is None:
            return None
        frame, came_s = taken
        if self._lost_s is not None and attempt.info is not None:
            size = f"{frame.planes.width}x{frame.planes.height}"
            _log.info("%s: back after %.1f s, %s", self._name, came_s - self._lost_s, size)
            self._lost_s = None
            self.reconnections += 1
            continuity.begin(attempt.info.frame_rate)
            if self._bracket is not None and attempt.bracket is not None:
                self._bracket.find(attempt.bracket)
        return continuity.place(frame, came_s)
