"""Work on several cores at once, for as long as one frame takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Rows = Callable[[int, int], None]
"""Work on some rows of a plane."""
First = TypeVar("First")
Second = TypeVar("Second")

_MOST_HANDS = 4
"""More would wait for memory and for each other."""
_FEWEST_PIXELS = 1 << 16
"""Below it a thread takes longer to wake than to work."""
_PARTS_A_HAND = 4


class Crew:
    """The calling thread and its helpers, who wait for work between frames: as many as there are cores for."""

    def __init__(self) -> None:
        self._hands = min(os.cpu_count() or 1, _MOST_HANDS)
        self._helpers = ThreadPoolExecutor(max(1, self._hands - 1), thread_name_prefix="alignment")
        self._scratch: dict[str, npt.NDArray[Any]] = {}

    def limit(self, hands: int) -> None:
        """Do with at most so many, the caller's own included; nothing may be under way."""
        self._hands = min(self._hands, hands)

    def scratch(self, purpose: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Memory to write to, the same for a purpose from frame to frame: fresh memory costs more than filling it."""
        held = self._scratch.get(purpose)
        if held is None or held.shape != shape or held.dtype != dtype:
            held = self._scratch[purpose] = np.empty(shape, dtype)
        return held

    def both(self, first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
        """The results of two functions that run at the same time."""
        if self._hands == 1:
            return first(), second()
        other = self._helpers.submit(second)
        try:
            result = first()
        except BaseException:
            _call_off(other)
            raise
        # A helper who did not come to it is busy, perhaps waiting for this very thread.
        return result, second() if other.cancel() else other.result()

    def rows(self, *planes: tuple[tuple[int, ...], Rows]) -> None:
        """Works through planes side by side.

        Args:
            planes: the shape of each, and its work, which gets the first row of a part and the row after its last.
        """
        parts = [(work, *rows) for (height, width), work in planes for rows in self._split(height, width)]
        if self._hands == 1 or len(parts) == len(planes):
            for work, start, end in parts:
                work(start, end)
            return
        # Rows take unequally long: whoever has done a part takes the next.
        left = iter(parts)

        def share() -> None:
            while (part := next(left, None)) is not None:
                part[0](part[1], part[2])

        others = [self._helpers.submit(share) for _ in range(self._hands - 1)]
        try:
            share()
            for other in others:
                # One who did not come to it would find nothing left.
                if not other.cancel():
                    other.result()
        except BaseException:
            for _ in left:
                pass
            for other in others:
                _call_off(other)
            raise

    def _split(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """First row and row after the last of each part of a plane."""
        number = min(_PARTS_A_HAND * self._hands, height) if height * width >= _FEWEST_PIXELS else 1
        return pairwise(height * part // number for part in range(number + 1))

    def close(self) -> None:
        """Sends the helpers home."""
        self._scratch.clear()
        self._helpers.shutdown()


def _call_off(other: Future[Any]) -> None:
    """Returns when nothing of it runs any more."""
    if not other.cancel():
        other.exception()
