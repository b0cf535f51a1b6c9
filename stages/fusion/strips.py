"""A picture in horizontal strips that stay in a core's cache, spread over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch

PIXELS = 1 << 17
"""Of a strip. Measured: below, the overhead of each operation shows; above, threads share the work unevenly."""
_FEWEST_ROWS = 16
"""Strips recompute the rows around them; of very wide pictures they are taller than the cache would like."""
_ALONE_PIXELS = PIXELS // 8
"""Of a picture that is not worth waking a thread."""

Work = Callable[[int, int], None]
"""Does rows ``[first, last)``; ``first`` is even, and so is ``last`` but at the picture's end."""


class Strips:
    """Threads that share out the strips of a picture; each runs torch's operations on itself alone.

    Args:
        threads: 1 works in the caller's thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        if threads > 1:
            # Torch's count of threads belongs to a thread, but the last one set becomes that of new threads.
            together = Barrier(threads + 1)
            self._pool = ThreadPoolExecutor(threads, "fusion")
            for _ in range(threads):
                self._pool.submit(_work_alone, together)
            together.wait()
            torch.set_num_threads(threads)

    def run(self, height: int, width: int, work: Work) -> None:
        """Call ``work`` for every strip of a picture of ``height`` x ``width`` and wait for all."""
        if height * width <= _ALONE_PIXELS:
            work(0, height)
            return
        rows = max(_FEWEST_ROWS, PIXELS // width & ~1)
        # An even share for each thread: a last strip alone would leave the others waiting.
        rounds = -(-height // (rows * self.threads))
        rows = max(_FEWEST_ROWS, -(-height // (rounds * self.threads)) + 1 & ~1)
        firsts = range(0, height, rows)
        self.each(len(firsts), lambda index: work(firsts[index], min(firsts[index] + rows, height)))

    def each(self, count: int, work: Callable[[int], None]) -> None:
        """Call ``work`` with 0 ... ``count`` - 1 and wait for all."""

        # The mode belongs to a thread.
        def in_inference_mode(index: int) -> None:
            with torch.inference_mode():
                work(index)

        numbers = range(count)
        pool = None if count == 1 else self._pool
        for _ in map(in_inference_mode, numbers) if pool is None else pool.map(in_inference_mode, numbers):
            pass


def _work_alone(together: Barrier) -> None:
    """Keep torch from starting threads under this one."""
    torch.set_num_threads(1)
    together.wait()
