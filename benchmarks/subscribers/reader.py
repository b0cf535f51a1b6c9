"""A process that subscribes, when it is told to, and keeps account of what it saw."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from lumabraid import Frame, ReceiveTimeoutError, Stats, Subscriber

SEEN = np.dtype([(name, np.int64) for name in ("seq", "index", "waited_ns", "age_ns", "done_age_ns")])
"""Of one frame: its numbers; how long from stage to ZeroMQ; its age when the program got it, and when it was done."""

_PATIENCE_S = 0.1
_QUEUE_FRAMES = 64
"""With ``every``: a busy machine may keep a program that keeps up from running for a second or two."""
_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a program reads."""

    policy: Literal["latest", "every"] = "latest"
    work_s: float = 0
    """What it does with each frame."""
    report_every: int | None = None
    """Frames after which it sends an account, for it will not live to send the last one."""


@dataclass(frozen=True)
class Account:
    """What one subscription came to, or has come to so far."""

    began_ns: int
    """Monotonic clock; tells one subscription of a reader from the next."""
    frames: npt.NDArray[np.void]
    """(delivered,) of ``SEEN``."""
    stats: Stats
    announced: int | None
    """Messages published on the topic, by the publisher's last word; None while it has not come."""


def read(pipe: Connection[Any, Any], address: str, topic: str, manner: Manner) -> None:
    """Say that it is there; from then on every message is a turn: subscribe, leave and send an ``Account``, and so on.

    Ends when the other end of the pipe is closed.
    """
    with contextlib.suppress(EOFError, BrokenPipeError):
        pipe.send(None)
        while True:
            pipe.recv()
            pipe.send(_subscribe(pipe, address, topic, manner))


def _subscribe(pipe: Connection[Any, Any], address: str, topic: str, manner: Manner) -> Account:
    """One subscription, until the next message comes."""
    seen: list[tuple[int, ...]] = []
    began_ns = time.monotonic_ns()
    with Subscriber(
        address, topic=topic, policy=manner.policy, queue_frames=_QUEUE_FRAMES, timeout_s=_PATIENCE_S
    ) as frames:

        def account() -> Account:
            stats, status = _settled(frames, seen), frames.status
            announced = status.topics.get(topic) if status is not None and status.ended else None
            return Account(began_ns, np.array(seen, SEEN), stats, announced)

        while not pipe.poll():
            with contextlib.suppress(ReceiveTimeoutError):
                seen.append(_work(frames.read(), manner.work_s))
                if manner.report_every and len(seen) % manner.report_every == 0:
                    pipe.send(account())
        pipe.recv()
        return account()


def _work(frame: Frame, work_s: float) -> tuple[int, ...]:
    """Use a frame for a while; what is to be remembered of it, as in ``SEEN``."""
    header = frame.header
    age_ns = time.time_ns() - header.captured_ns
    if work_s:
        time.sleep(work_s)
    return header.seq, header.index, header.published_ns - header.fused_ns, age_ns, time.time_ns() - header.captured_ns


def _settled(frames: Subscriber, seen: list[tuple[int, ...]]) -> Stats:
    """The counters at a moment when all that arrived has reached the program or was passed over.

    Frames go on arriving, in another thread: reading on until the counters stand still and balance. Where they never
    do, they are returned as they are.
    """
    for _ in range(_ATTEMPTS):
        stats = frames.stats
        stands_still = stats == frames.stats and stats.received == stats.delivered + stats.skipped
        if stands_still and stats.before + stats.received + stats.lost == (seen[-1][0] + 1 if seen else 0):
            break
        with contextlib.suppress(ReceiveTimeoutError):
            seen.append(_work(frames.read(), 0))
    return stats
