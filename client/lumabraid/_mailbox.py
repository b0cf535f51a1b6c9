"""Hands frames from the receiving thread to readers, blocking and asynchronous ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """A few items in order, or only the newest.

    Args:
        capacity: items held at most.
        replace: when full, a new item takes the oldest one's place; otherwise it is refused.
    """

    def __init__(self, *, capacity: int, replace: bool) -> None:
        self._capacity = capacity
        self._replace = replace
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._waiting: set[asyncio.Future[None]] = set()
        self._finished = False
        self._error: Exception | None = None
        self.taken = 0
        """Items that reached a reader."""
        self.passed_over = 0
        """Items that made room for newer ones, or found no room."""

    def put(self, item: Item) -> bool:
        """Add an item without waiting; False if it was refused. Without effect when finished."""
        with self._changed:
            if self._finished:
                return True
            if len(self._items) == self._capacity:
                self.passed_over += 1
                if not self._replace:
                    return False
                self._items.popleft()
            self._items.append(item)
            self._wake()
            return True

    def finish(self, error: Exception | None = None, *, discard: bool = False) -> None:
        """Say that nothing more will come: readers get what is left, then the error or None.

        The first error stays; ``discard`` also throws away what is left.
        """
        with self._changed:
            self._finished = True
            self._error = self._error or error
            if discard:
                self._items.clear()
                self._error = None
            self._wake()

    def take(self, timeout_s: float | None) -> Item | None:
        """The oldest item, as soon as there is one; None if none will come.

        Raises:
            TimeoutError: none came in time.
            Exception: what ``finish`` was given.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._finished, timeout_s):
                raise TimeoutError
            return self._pop()

    async def take_async(self, timeout_s: float | None) -> Item | None:
        """As ``take``, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while True:
            with self._changed:
                if self._items or self._finished:
                    return self._pop()
                woken: asyncio.Future[None] = loop.create_future()
                self._waiting.add(woken)
            try:
                async with asyncio.timeout_at(deadline):
                    await woken
            finally:
                with self._changed:
                    self._waiting.discard(woken)

    def _pop(self) -> Item | None:
        if self._items:
            self.taken += 1
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    def _wake(self) -> None:
        self._changed.notify_all()
        for woken in self._waiting:
            # A loop that was closed has no reader left to wake.
            with contextlib.suppress(RuntimeError):
                woken.get_loop().call_soon_threadsafe(_resolve, woken)


def _resolve(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
