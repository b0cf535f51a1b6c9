"""A bounded queue between two threads that never goes quiet: it ends, or it is cancelled, and both ends wake."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition
from typing import Literal, TypeVar

T = TypeVar("T")

Policy = Literal["block", "drop_oldest", "latest"]
"""What happens to a new item when the channel is full: ``block`` makes the giver wait, ``drop_oldest`` makes
room, ``latest`` keeps the newest item only, whatever the capacity."""


class CancelledError(Exception):
    """Raised at both ends of a cancelled channel: the run was given up."""


@dataclass(frozen=True, slots=True)
class ChannelCounters:
    """What went through a channel so far; ``put`` = ``taken`` + ``dropped`` + ``waiting`` until it is cancelled."""

    put: int
    taken: int
    dropped: int
    waiting: int
    high_water: int
    """The most items that were ever waiting at once."""


class Channel(Iterator[T]):
    """Bounded first-in first-out queue with a policy for when it is full; its taker iterates over it."""

    def __init__(self, capacity: int, policy: Policy = "block", *, on_drop: Callable[[T], None] | None = None) -> None:
        """Make an open, empty channel.

        Args:
            capacity: items that may wait, at least 1; ``latest`` always keeps 1.
            policy: see ``Policy``.
            on_drop: told of each dropped item, in the thread that put the newer one; needed by the policies
                that drop, so that no item is ever lost without a word.
        """
        if capacity < 1:
            raise ValueError(f"a channel's capacity must be at least 1, got {capacity}")
        if policy != "block" and on_drop is None:
            raise ValueError(f"a channel with policy {policy} needs on_drop")
        self._capacity = 1 if policy == "latest" else capacity
        self._policy = policy
        self._on_drop = on_drop
        self._items: deque[T] = deque()
        self._changed = Condition()
        self._closed = False
        self._cancelled = False
        self._put = self._taken = self._dropped = self._high_water = 0

    def narrow(self, capacity: int) -> None:
        """Let fewer items wait, at least 1; before the first is put. A capacity that is smaller already stays."""
        with self._changed:
            self._capacity = min(self._capacity, capacity)

    def put(self, item: T) -> None:
        """Hand over an item; under ``block``, wait for room.

        Raises:
            CancelledError: the item was not taken over.
            RuntimeError: the channel was closed before, a mistake of the program.
        """
        dropped: list[T] = []
        with self._changed:
            if self._policy == "block":
                self._changed.wait_for(lambda: len(self._items) < self._capacity or self._cancelled)
            if self._cancelled:
                raise CancelledError
            if self._closed:
                raise RuntimeError("put on a channel that was closed")
            while len(self._items) >= self._capacity:
                dropped.append(self._items.popleft())
            self._items.append(item)
            self._put += 1
            self._dropped += len(dropped)
            self._high_water = max(self._high_water, len(self._items))
            self._changed.notify_all()
        if self._on_drop is not None:
            for old in dropped:
                self._on_drop(old)

    def __next__(self) -> T:
        """Take the oldest item; wait for one. The iteration ends when the channel is closed and empty.

        Raises:
            CancelledError: the run was given up.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed or self._cancelled)
            if self._cancelled:
                raise CancelledError
            if not self._items:
                raise StopIteration
            item = self._items.popleft()
            self._taken += 1
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """End the stream: what is inside can still be taken. Closing twice does no harm."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Give the stream up: let go of what is inside and wake both ends at once."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def counters(self) -> ChannelCounters:
        """The counters at this moment."""
        with self._changed:
            return ChannelCounters(self._put, self._taken, self._dropped, len(self._items), self._high_water)
