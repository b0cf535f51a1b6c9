"""How a run goes at the moment: what passed in the last two seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from pipeline.latency import LatencySummary

WINDOW_S: Final = 2.0
"""Long enough for a steady figure at 10 frames per second, short enough that a stall shows at once."""


_SHORTEST_S: Final = 0.5
"""The first frames after the start count as if they had come in this time: one alone says nothing of a rate."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The last two seconds, or the time since the first frame where that is less."""

    captured_fps: float = 0.0
    """Frames read per second."""
    fused_fps: float = 0.0
    """Frames per second that reached the sink."""
    latency: LatencySummary = field(default_factory=LatencySummary)
    """From capture to the sink, of the frames that reached it in this time; exact."""


class RecentFrames:
    """Remembers the frames of the last two seconds. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._first_s: float | None = None
        self._captured_s: deque[float] = deque()
        self._fused: deque[tuple[float, float]] = deque()
        """When, and how long after its capture, in seconds."""

    def captured(self) -> None:
        """A frame was read."""
        now_s = time.monotonic()
        with self._lock:
            if self._first_s is None:
                self._first_s = now_s
            self._captured_s.append(now_s)
            self._forget(now_s)

    def fused(self, latency_s: float) -> None:
        """A frame reached the sink, so long after its capture."""
        now_s = time.monotonic()
        with self._lock:
            self._fused.append((now_s, latency_s))
            self._forget(now_s)

    def summary(self, now_s: float) -> Recent:
        """The two seconds before ``now_s``, on the monotonic clock."""
        with self._lock:
            if self._first_s is None:
                return Recent()
            self._forget(now_s)
            captured, latencies_s = len(self._captured_s), sorted(latency_s for _, latency_s in self._fused)
            seen_s = min(max(now_s - self._first_s, _SHORTEST_S), WINDOW_S)
        return Recent(captured / seen_s, len(latencies_s) / seen_s, _summary(latencies_s))

    def _forget(self, now_s: float) -> None:
        """Let go of what is older than the window. The lock must be held."""
        while self._captured_s and self._captured_s[0] < now_s - WINDOW_S:
            self._captured_s.popleft()
        while self._fused and self._fused[0][0] < now_s - WINDOW_S:
            self._fused.popleft()


def _summary(sorted_s: Sequence[float]) -> LatencySummary:
    """Nearest-rank quantiles."""
    if not sorted_s:
        return LatencySummary()
    p50, p95, p99 = (1e3 * sorted_s[math.ceil(share * len(sorted_s)) - 1] for share in (0.5, 0.95, 0.99))
    return LatencySummary(p50, p95, p99, 1e3 * sorted_s[-1])
