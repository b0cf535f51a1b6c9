"""A picture in horizontal strips that stay in a core's cache, shared out among threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

_PIXELS = 1 << 17
"""Of a strip. Measured: below, the overhead of each call shows; above, threads share the work unevenly."""
_FEWEST_ROWS = 16
"""Strips recompute the rows around them; of very wide pictures they are taller than the cache would like."""
_ALONE_PIXELS = 1 << 15
"""Of a picture that is done before a thread wakes."""

Work = Callable[[int, int], None]
"""Does rows ``[first, last)``; ``first`` is even, and so is ``last`` but at the picture's end."""


class Strips:
    """The caller's thread and its helpers, who sleep between calls.

    Args:
        threads: 1 works in the caller's thread alone.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._helpers = ThreadPoolExecutor(threads - 1, "fusion") if threads > 1 else None

    def run(self, height: int, width: int, work: Work) -> None:
        """Call ``work`` for every strip of a picture of ``height`` x ``width`` and wait for all."""
        if self._helpers is None or height * width <= _ALONE_PIXELS:
            work(0, height)
            return
        # At least two strips a thread: whoever wakes late does fewer.
        rows = min(max(_FEWEST_ROWS, _PIXELS // width), -(-height // (2 * self.threads)))
        rows += rows % 2
        self.each(-(-height // rows), lambda index: work(index * rows, min((index + 1) * rows, height)))

    def each(self, number: int, work: Callable[[int], None]) -> None:
        """Call ``work`` with 0 ... ``number`` - 1 and wait for all."""
        left = count()

        def share() -> None:
            while (index := next(left)) < number:
                work(index)

        helpers = [] if self._helpers is None else [self._helpers.submit(share) for _ in range(self.threads - 1)]
        try:
            share()
        finally:
            for helper in helpers:
                # One that has not woken has nothing left to do.
                if not helper.cancel():
                    helper.result()

    def close(self) -> None:
        """Send the helpers home; what is called afterwards fails."""
        if self._helpers is not None:
            self._helpers.shutdown()
