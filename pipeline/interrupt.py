"""Ctrl-C: once to finish early, twice to stop at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Interruptible(Protocol):
    """What can be interrupted. Both are called from a signal handler: they must not wait or take a lock."""

    def stop(self) -> None:
        """Take nothing new in, finish what was begun."""

    def abort(self) -> None:
        """Give up at once."""


@contextmanager
def interruptible(target: Interruptible) -> Iterator[None]:
    """Turn signals into ``stop`` and ``abort`` inside the block; the handlers of before come back after it.

    The first SIGINT stops, each further one aborts. SIGTERM stops, however often it comes: supervisors repeat
    it, and the file is to get its trailer. Only the main thread may enter.
    """
    interrupted = False

    def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            target.abort()
        else:
            target.stop()
        interrupted = True

    def on_terminate(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        target.stop()

    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, on_interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_terminate),
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
