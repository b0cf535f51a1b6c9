"""One reader that keeps up, over every transport and in every raw encoding."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from benchmarks.subscribers.crew import Crew
from benchmarks.subscribers.figures import Figures, is_whole, quantiles
from benchmarks.subscribers.reader import Account, Manner, read
from benchmarks.subscribers.source import Load, Published, publish
from stages.publishing.topics import Encoding

ENCODINGS: Final[tuple[Encoding, ...]] = ("yuv420p", "bgr8")

_SETTLING_S = 1.0
"""Not measured: the reader has just come, or waits for the publisher's last word."""


def measure(load: Load, seconds: float) -> Figures:
    """Publish for so long, to one reader that takes every frame."""
    with Crew() as crew:
        source = crew.start(publish, load)
        reader = crew.start(read, source.pipe.recv(), load.topic, Manner(policy="every"))
        reader.pipe.recv()
        reader.pipe.send(None)
        time.sleep(_SETTLING_S)
        began_ns, cpu_s = time.monotonic_ns(), sum(source.usage.cpu_times()[:2])
        time.sleep(seconds)
        cpu_s = sum(source.usage.cpu_times()[:2]) - cpu_s
        source.pipe.send(None)
        published: Published = source.pipe.recv()
        time.sleep(_SETTLING_S)
        reader.pipe.send(None)
        account: Account = reader.pipe.recv()
    measured = published.began_ns >= began_ns
    frames = account.frames[measured[account.frames["index"]]]
    stats = account.stats
    return {
        "frames": int(measured.sum()),
        "frames_per_s": round(1e9 / float(np.diff(published.began_ns[measured]).mean()), 2),
        "lost": stats.lost,
        "skipped": stats.skipped,
        "overtaken": int(frames["index"][-1] - frames["index"][0] - (frames["seq"][-1] - frames["seq"][0])),
        "exact": is_whole(account, published),
        "stage_cost_us": quantiles(published.cost_ns[measured] / 1e3),
        "age_ms": quantiles(frames["age_ns"] / 1e6),
        "publisher_cpu_ms_per_frame": round(1e3 * cpu_s / int(measured.sum()), 3),
    }
