"""Processes of which nothing is left behind, however the benchmark ends."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

import psutil

_spawn = multiprocessing.get_context("spawn")


class Member:
    """A process and this side of the pipe to it."""

    def __init__(self, process: BaseProcess, pipe: Connection[Any, Any]) -> None:
        assert process.pid is not None
        self.pipe = pipe
        self.usage = psutil.Process(process.pid)
        self._process = process

    def stop(self) -> None:
        """Let it run no further until ``carry_on``."""
        self.usage.suspend()

    def carry_on(self) -> None:
        """Let it run again."""
        self.usage.resume()

    def kill(self) -> None:
        """End it without a word, and wait for that."""
        self._process.kill()
        self._process.join()


class Crew:
    """Starts processes, and kills all that are left at the end of the ``with`` block."""

    def __init__(self) -> None:
        self._members: list[Member] = []

    def start(self, target: Callable[..., None], *arguments: object) -> Member:
        """Run a function in a process of its own; its first argument is its end of the pipe."""
        ours, theirs = _spawn.Pipe()
        process = _spawn.Process(target=target, args=(theirs, *arguments), daemon=True)
        with _without_interrupts():
            process.start()
            member = Member(process, ours)
            self._members.append(member)
        theirs.close()
        return member

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _without_interrupts():
            for member in self._members:
                member.kill()
                member.pipe.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; a process started in it never hears of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
