"""Receives a published stream for a person: counts, measures, saves, shows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import lumabraid
import numpy as np

from pipeline.saving import Saving

if TYPE_CHECKING:
    from pipeline.display import Display

_WATCH_S: Final = 0.1
_REPORT_INTERVAL_S: Final = 1.0
_AGES_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Reception:
    """What arrived, at one moment."""

    frames: int
    """Received here and not skipped."""
    fps: float
    """Since the report before this one; in the last report, since the first frame."""
    age_p50_ms: float | None
    """From a frame's capture until it was read here, by both machines' clocks; of the last 1000. None when unknown."""
    age_p99_ms: float | None
    skipped: int
    """Passed over for newer ones."""
    lost: int
    """Published, but never received."""
    restarts: int
    """Of the publisher."""
    malformed: int
    """Messages that could not be read."""


class Subscription:
    """Reads frames until the stream ends, enough were read, or it is stopped."""

    def __init__(
        self,
        subscriber: lumabraid.Subscriber,
        *,
        count: int | None,
        timeout_s: float,
        saving: Saving | None = None,
        display: Display | None = None,
        on_report: Callable[[Reception], None],
    ) -> None:
        """Set it up.

        Args:
            subscriber: where frames come from.
            count: how many frames to read; None = all.
            timeout_s: how long to wait for a frame.
            saving: where they go, too; finished and closed by the caller.
            display: where they are shown, too; the end comes when the person closes it.
            on_report: called about once a second.
        """
        self._subscriber = subscriber
        self._count = count
        self._timeout_s = timeout_s
        self._saving = saving
        self._display = display
        self._on_report = on_report
        self._stopped = False
        self._ended = Event()
        self._frames = self._reported_frames = 0
        self._started_s = self._reported_s = 0.0
        self._ages_ms: deque[float] = deque(maxlen=_AGES_KEPT)

    def stop(self) -> None:
        """Read no more. Fit for a signal handler."""
        self._stopped = True

    abort = stop

    def run(self) -> Reception:
        """Read, and report now and then; returns the account.

        Raises:
            lumabraid.LumabraidError: no frame came in time or at all, or the messages cannot be read. A stream that
                ends early is no error once a frame of it came.
            EncodeError: the frames cannot be saved.
        """
        watch = Thread(target=self._close_when_stopped, name="subscription.watch")
        watch.start()
        try:
            while self._wants_more() and self._take_in(self._subscriber.read(self._timeout_s)):
                if time.monotonic() - self._reported_s >= _REPORT_INTERVAL_S:
                    self._tell(self._reception(self._reported_frames, self._reported_s))
                    self._reported_frames, self._reported_s = self._frames, time.monotonic()
        except lumabraid.ClosedError:
            if not self._frames and not self._is_unwanted():
                raise
        finally:
            self._ended.set()
            watch.join()
        return self._reception(1, self._started_s)

    def _close_when_stopped(self) -> None:
        """A signal handler must not do it, and a read that waits does not see the wish."""
        while not self._ended.wait(_WATCH_S):
            if self._is_unwanted():
                self._subscriber.close()

    def _is_unwanted(self) -> bool:
        return self._stopped or (self._display is not None and self._display.closed_by_hand)

    def _wants_more(self) -> bool:
        return self._count is None or self._frames < self._count

    def _take_in(self, frame: lumabraid.Frame) -> bool:
        """Count, measure and save a frame; False when it cannot be saved beside those before it."""
        if not self._frames:
            self._started_s = self._reported_s = time.monotonic()
        self._frames += 1
        if frame.age_s is not None:
            self._ages_ms.append(frame.age_s * 1000)
        if self._display is not None:
            self._display.show(frame)
        return self._saving is None or self._saving.write(frame, self._subscriber.status)

    def _tell(self, reception: Reception) -> None:
        self._on_report(reception)
        if self._display is not None:
            self._display.tell(reception)

    def _reception(self, frames_before: int, since_s: float) -> Reception:
        """The account, with the frames per second since then."""
        fps = max(self._frames - frames_before, 0) / max(time.monotonic() - since_s, 1e-9)
        ages = [round(float(age), 1) for age in np.percentile(self._ages_ms, [50, 99])] if self._ages_ms else None
        stats = self._subscriber.stats
        return Reception(
            frames=self._frames,
            fps=round(fps, 1),
            age_p50_ms=ages[0] if ages else None,
            age_p99_ms=ages[1] if ages else None,
            skipped=stats.skipped,
            lost=stats.lost,
            restarts=stats.restarts,
            malformed=stats.malformed,
        )
