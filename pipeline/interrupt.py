"""Ctrl-C: once to finish early, twice to stop at once; SIGTERM is like the first, however often it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Protocol

INTERRUPTED: Final = 128 + 2
"""Exit code after SIGINT, as shells count; SIGTERM is taken for the same."""


class Interruptible(Protocol):
    """What can be interrupted. Both are called from a signal handler: they must not wait or take a lock."""

    def stop(self) -> None:
        """Take nothing new in, finish what was begun."""

    def abort(self) -> None:
        """Give up at once."""


class Signals:
    """What came while nothing ran that could be stopped."""

    def __init__(self) -> None:
        self.came = False


@contextmanager
def ended_by(signals: Signals) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block with KeyboardInterrupt, wherever it is; the handlers of before come back.

    A signal that is ignored, or handled by somebody else, stays so. Outside the main thread nothing changes.
    """
    replaced = {}

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        signals.came = True
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) == default:
                replaced[number] = signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


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
