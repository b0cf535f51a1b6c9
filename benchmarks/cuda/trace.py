"""What a GPU did and when, from the trace that torch's profiler writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.profiler import ProfilerActivity, profile

Span = tuple[float, float]
"""Begin and end, in microseconds."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A stretch of time on the GPU."""

    busy_share: float
    """Of the time from the first operation to the last in which kernels ran."""
    overlap_share: float | None
    """Of the time in which anything was copied from or to the host, that in which kernels ran; None without copies."""
    kernels: dict[str, float]
    """Share of all kernels' time, by name, of those that took the most."""


def traced(run: Callable[[], None]) -> Trace | None:
    """Run under the profiler; None where it sees no kernels or does not work, which costs the other figures nothing."""
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
                run()
            profiler.export_chrome_trace(str(path))
            return read(json.loads(path.read_text(encoding="utf-8"))["traceEvents"])
    except (RuntimeError, AssertionError) as error:
        print(f"no trace from the profiler: {error}".partition("\n")[0])
        return None


def read(events: Iterable[dict[str, Any]], most: int = 8) -> Trace | None:
    """A trace from the events of Chrome's format: ``cat``, ``name``, ``ts`` and ``dur`` in microseconds."""
    kernels: list[Span] = []
    copies: list[Span] = []
    took: Counter[str] = Counter()
    for event in events:
        if event.get("cat") not in ("kernel", "gpu_memcpy", "gpu_memset"):
            continue
        span = (float(event["ts"]), float(event["ts"]) + float(event["dur"]))
        if event["cat"] == "gpu_memcpy" and ("HtoD" in event["name"] or "DtoH" in event["name"]):
            copies.append(span)
        else:
            kernels.append(span)
            took[event["name"]] += event["dur"]
    if not kernels:
        return None
    computing, copying = _joined(kernels), _joined(copies)
    first = min(begin for begin, _ in kernels + copies)
    last = max(end for _, end in kernels + copies)
    total = sum(took.values())
    return Trace(
        busy_share=_length(computing) / (last - first),
        overlap_share=_length(_common(computing, copying)) / _length(copying) if copying else None,
        kernels={name: duration / total for name, duration in took.most_common(most)},
    )


def _joined(spans: Iterable[Span]) -> list[Span]:
    """In order, those that touch made one."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _common(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """Where both are."""
    return [
        (max(one[0], other[0]), min(one[1], other[1]))
        for one in first
        for other in second
        if max(one[0], other[0]) < min(one[1], other[1])
    ]


def _length(spans: Iterable[Span]) -> float:
    return sum(end - begin for begin, end in spans)
