"""What is measured on: a GPU, or the CPU in its place to rehearse."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Protocol

import torch

from benchmarks.cuda.trace import Trace, traced
from stages.device.queue import DeviceQueue, Lane
from stages.device.standin import StandInQueue
from stages.device.streams import CudaQueue
from stages.fusion.cuda.fuser import Precision

_LEAST, _MOST = 10, 300
"""Repetitions of a measurement."""


class Bench(Protocol):
    """A device under test."""

    name: str
    precision: Precision
    """Of fusers whose precision is not what is looked at."""
    seconds: float
    """One measurement should take; 0 for as little as possible."""

    def queue(self) -> DeviceQueue:
        """A new one."""

    def lane_ms(self, queue: DeviceQueue, lane: Lane, launch: Callable[[], None]) -> float:
        """Median time a lane takes for what ``launch`` gives it."""

    def trace(self, run: Callable[[], None]) -> Trace | None:
        """What the device did during ``run``; None where it does not tell."""

    def forget_memory(self) -> None:
        """Start to look for the peak again, with no memory kept from before."""

    def peak_mib(self) -> float:
        """The most memory that torch took from the device since then."""


class Gpu:
    """The first CUDA device."""

    precision: Precision = "auto"
    seconds = 0.7

    def __init__(self) -> None:
        self._device = torch.device("cuda")
        properties = torch.cuda.get_device_properties(self._device)
        self.name = (
            f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB; torch {torch.__version__}, "
            f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        )

    def queue(self) -> CudaQueue:
        """Streams of their own."""
        return CudaQueue(self._device)

    def lane_ms(self, queue: DeviceQueue, lane: Lane, launch: Callable[[], None]) -> float:
        """By CUDA events on the lane's stream, one launch after the other."""
        assert isinstance(queue, CudaQueue)
        stream = queue.streams[lane]

        def timed() -> tuple[torch.cuda.Event, torch.cuda.Event]:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record(stream)
            launch()
            end.record(stream)
            return begin, end

        def times_ms(count: int) -> list[float]:
            events = [timed() for _ in range(count)]
            queue.finish()
            return [begin.elapsed_time(end) for begin, end in events]

        first_ms = statistics.median(times_ms(3))
        return statistics.median(times_ms(repeats(first_ms / 1e3, self.seconds)))

    def trace(self, run: Callable[[], None]) -> Trace | None:
        """By torch's profiler."""
        return traced(run)

    def forget_memory(self) -> None:
        """Of the whole process."""
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak_mib(self) -> float:
        """Reserved, that is with what the allocator keeps for later."""
        return torch.cuda.max_memory_reserved() / 2**20


class Rehearsal:
    """The CPU: the same paths through the code, with figures that mean nothing."""

    name = "rehearsal on the CPU, whose figures mean nothing"
    precision: Precision = "single"
    seconds = 0.0

    def queue(self) -> StandInQueue:
        """A stand-in."""
        return StandInQueue()

    def lane_ms(self, queue: DeviceQueue, lane: Lane, launch: Callable[[], None]) -> float:
        """By the clock."""

        def run() -> None:
            launch()
            queue.finish()

        return wall_ms(run, self.seconds)

    def trace(self, run: Callable[[], None]) -> Trace | None:
        """A CPU has no kernels."""
        run()
        return None

    def forget_memory(self) -> None:
        """Nothing to do."""

    def peak_mib(self) -> float:
        """Unknown."""
        return 0.0


def repeats(seconds_each: float, seconds: float) -> int:
    """How often to repeat what takes so long."""
    return max(_LEAST if seconds else 2, min(_MOST, int(seconds / max(seconds_each, 1e-6))))


def wall_ms(run: Callable[[], None], seconds: float) -> float:
    """Mean time of a call by the clock, after one to warm up; repeated for about so many seconds."""
    started = time.perf_counter()
    run()
    count = repeats(time.perf_counter() - started, seconds)
    started = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - started) / count * 1e3
