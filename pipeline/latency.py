"""How long things take, in memory that does not grow with the stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock

_SHORTEST_S = 1e-6
_LONGEST_S = 1e5
_GROWTH = 1.02
"""Upper over lower bound of a bucket; reporting its geometric middle is off by at most sqrt(1.02): 1 %."""
_LOG_GROWTH = math.log(_GROWTH)
_BUCKETS = math.ceil(math.log(_LONGEST_S / _SHORTEST_S) / _LOG_GROWTH)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Quantiles within 1 % of the exact ones; zeros when nothing was measured."""

    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    """Exact."""


class LatencyHistogram:
    """Durations in logarithmic buckets from 1 microsecond to a day; what lies outside counts at the edge.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = [0] * _BUCKETS
        self._total = 0
        self._max_s = 0.0

    def record(self, duration_s: float) -> None:
        """Count one duration."""
        bucket = int(math.log(max(duration_s, _SHORTEST_S) / _SHORTEST_S) / _LOG_GROWTH)
        with self._lock:
            self._counts[min(bucket, _BUCKETS - 1)] += 1
            self._total += 1
            self._max_s = max(self._max_s, duration_s)

    def summary(self) -> LatencySummary:
        """Quantiles of everything recorded so far."""
        with self._lock:
            counts, total, max_s = list(self._counts), self._total, self._max_s
        if total == 0:
            return LatencySummary()
        p50, p95, p99 = (1e3 * min(_quantile_s(counts, total, share), max_s) for share in (0.5, 0.95, 0.99))
        return LatencySummary(p50, p95, p99, 1e3 * max_s)


def _quantile_s(counts: list[int], total: int, share: float) -> float:
    """The middle of the bucket that holds the nearest-rank quantile."""
    rank = max(1, math.ceil(share * total))
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return _SHORTEST_S * math.exp((bucket + 0.5) * _LOG_GROWTH)
    raise AssertionError("the counts add up to the total")


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one stage did so far."""

    items_in: int
    """Items taken; for a source, frames read."""
    items_out: int
    """Items handed on; for a sink, frames done."""
    busy_s: float
    """Time inside the stage's own code, waiting for its neighbours not included."""
    latency: LatencySummary
    """Of one call of ``process``, or of ``read`` for a source."""


class StageMeter:
    """Counts and times one stage. Written by the stage's thread, read by any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._items_in = 0
        self._items_out = 0
        self._busy_s = 0.0
        self._latency = LatencyHistogram()

    def took(self, busy_s: float) -> None:
        """One item was worked on, for this long."""
        with self._lock:
            self._items_in += 1
            self._busy_s += busy_s
        self._latency.record(busy_s)

    def gave(self) -> None:
        """One item was handed on."""
        with self._lock:
            self._items_out += 1

    def flushed(self, busy_s: float) -> None:
        """The stage was flushed, which took this long."""
        with self._lock:
            self._busy_s += busy_s

    def times(self) -> StageTimes:
        """Everything so far."""
        latency = self._latency.summary()
        with self._lock:
            return StageTimes(self._items_in, self._items_out, self._busy_s, latency)
