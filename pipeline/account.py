"""What became of each frame: captured = fused + dropped + failed + still in flight, at every moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock


class AccountError(RuntimeError):
    """A frame was captured twice, ended twice or never captured: a mistake of a stage, not of the user."""


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """The account at one moment. Every count was counted by itself; none is what the others left over."""

    captured: int
    fused: int
    dropped: Mapping[str, Mapping[str, int]]
    """Frames by stage and reason."""
    failed: Mapping[str, int]
    """Frames by reason."""
    in_flight: int
    """Captured and not ended yet; 0 once the run is over."""

    @property
    def dropped_total(self) -> int:
        """Frames dropped, all stages and reasons together."""
        return sum(sum(reasons.values()) for reasons in self.dropped.values())

    @property
    def failed_total(self) -> int:
        """Frames failed, all reasons together."""
        return sum(self.failed.values())

    @property
    def balances(self) -> bool:
        """Whether every captured frame is found in exactly one place."""
        return self.captured == self.fused + self.dropped_total + self.failed_total + self.in_flight


class Account:
    """Follows each frame from its capture to its one end. Safe to use from any thread.

    Only frames in flight are remembered one by one, so its size does not grow with the length of the stream.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._captured_at_s: dict[int, float] = {}
        self._last_index = -1
        self._captured = 0
        self._fused = 0
        self._dropped: dict[str, Counter[str]] = {}
        self._failed: Counter[str] = Counter()
        self._closed = False

    def captured(self, index: int) -> None:
        """A frame was read. Indices rise; gaps are allowed.

        Raises:
            AccountError: the index does not follow the last one.
        """
        with self._lock:
            if self._closed:
                return
            if index <= self._last_index:
                raise AccountError(f"frame {index} was captured after frame {self._last_index}")
            self._last_index = index
            self._captured_at_s[index] = time.monotonic()
            self._captured += 1

    def fused(self, index: int) -> float | None:
        """The frame's fused picture is safely with the sink.

        Returns:
            Seconds since the frame was captured; None when the account is closed.

        Raises:
            AccountError: the frame is not in flight.
        """
        with self._lock:
            if self._closed:
                return None
            captured_at_s = self._end(index)
            self._fused += 1
            return time.monotonic() - captured_at_s

    def dropped(self, index: int, stage: str, reason: str) -> None:
        """The frame gets no fused picture, and that is in order.

        Raises:
            AccountError: the frame is not in flight.
        """
        with self._lock:
            if not self._closed:
                self._end(index)
                self._dropped.setdefault(stage, Counter())[reason] += 1

    def failed(self, index: int, reason: str) -> None:
        """The frame gets no fused picture because something went wrong.

        Raises:
            AccountError: the frame is not in flight.
        """
        with self._lock:
            if not self._closed:
                self._end(index)
                self._failed[reason] += 1

    def close(self, reason: str) -> None:
        """Fail whatever is still in flight; the numbers are final.

        A stage that hangs and was left behind may wake up and report later: that is ignored from here on.
        """
        with self._lock:
            for index in list(self._captured_at_s):
                self._end(index)
                self._failed[reason] += 1
            self._closed = True

    def snapshot(self) -> AccountSnapshot:
        """The numbers at this moment."""
        with self._lock:
            return AccountSnapshot(
                captured=self._captured,
                fused=self._fused,
                dropped={stage: dict(reasons) for stage, reasons in self._dropped.items()},
                failed=dict(self._failed),
                in_flight=len(self._captured_at_s),
            )

    def _end(self, index: int) -> float:
        """Take a frame out of flight; returns when it was captured. The lock must be held."""
        try:
            return self._captured_at_s.pop(index)
        except KeyError:
            state = "had already ended" if index <= self._last_index else "was never captured"
            raise AccountError(f"frame {index} {state}") from None
