"""The process that publishes: the real stage, fed at an even pace."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.frame import BT709, FusedFrame, Planes, StreamInfo
from stages.publishing.topics import Encoding
from stages.publishing.zeromq import ZeroMqConfig, ZeroMqPublisher

_PICTURES = 4
"""Different ones, in turn."""
_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is published."""

    address: str
    encoding: Encoding
    width: int
    height: int
    frames_per_s: int
    longest_s: float
    """The stream ends by itself after this time."""

    @property
    def topic(self) -> str:
        """The only one on offer."""
        return f"fused/{self.encoding}"


@dataclass(frozen=True)
class Published:
    """What the publisher saw; arrays hold an entry for every frame, by its index."""

    began_ns: npt.NDArray[np.int64]
    """Monotonic clock, the same in every process, when the stage was given the frame."""
    cost_ns: npt.NDArray[np.int64]
    """How long the stage kept the pipeline, by the clock on the wall."""
    cpu_ns: npt.NDArray[np.int64]
    """CPU time of the pipeline's thread in it."""
    messages: int
    """Sent on the topic."""


def publish(pipe: Connection[Any, Any], load: Load) -> None:
    """Send the address, publish until the pipe says anything or is closed, and send ``Published``."""
    stage = ZeroMqPublisher(ZeroMqConfig(address=load.address, encodings=(load.encoding,)))
    pictures = [_picture(load, seed) for seed in range(_PICTURES)]
    # Filled, so that the memory is there from the start and the process grows by its leaks alone.
    log = np.full((int(load.longest_s * load.frames_per_s), 3), -1, np.int64)
    period_s = 1 / load.frames_per_s
    count = 0
    try:
        stage.open(StreamInfo(load.width, load.height, 8, _TIME_BASE, Fraction(load.frames_per_s), color=BT709))
        pipe.send(stage.address)
        due_s = time.monotonic()
        while count < len(log) and not pipe.poll():
            # Memory of its own for every frame, as fusion makes it: one that is never let go of shows.
            source = pictures[count % _PICTURES]
            planes = Planes(source.luma.copy(), source.chroma.copy())
            due_s = max(due_s + period_s, time.monotonic())
            time.sleep(max(due_s - time.monotonic(), 0))
            log[count] = _timed(stage, _frame(count, planes, load))
            count += 1
        stage.flush()
    finally:
        stage.close()
    began_ns, cost_ns, cpu_ns = log[:count].T
    with contextlib.suppress(BrokenPipeError):
        pipe.send(Published(began_ns, cost_ns, cpu_ns, stage.published[load.topic]))


def _picture(load: Load, seed: int) -> Planes:
    """Noise."""
    rng = np.random.default_rng(seed)
    luma = rng.integers(16, 236, (load.height, load.width), np.uint8)
    return Planes(luma, rng.integers(16, 241, (2, -(-load.height // 2), -(-load.width // 2)), np.uint8))


def _frame(index: int, planes: Planes, load: Load) -> FusedFrame:
    """Captured and fused this very moment."""
    duration = round(1 / (load.frames_per_s * _TIME_BASE))
    now_ns = time.time_ns()
    return FusedFrame(
        index=index,
        planes=planes,
        pts=index * duration,
        time_base=_TIME_BASE,
        duration=duration,
        color=BT709,
        sources=(index, index),
        ratio_stops=3.0,
        captured_ns=now_ns,
        fused_ns=now_ns,
    )


def _timed(stage: ZeroMqPublisher, frame: FusedFrame) -> tuple[int, int, int]:
    """(monotonic clock before, nanoseconds, nanoseconds of CPU) of handing one frame to the stage."""
    cpu_ns, began_ns = time.thread_time_ns(), time.monotonic_ns()
    for _ in stage.process(frame):
        pass
    return began_ns, time.monotonic_ns() - began_ns, time.thread_time_ns() - cpu_ns
