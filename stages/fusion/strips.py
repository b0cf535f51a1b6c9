"""Passes over pictures in horizontal strips that stay in a core's cache, shared out among threads.

To wake a thread takes as long as a strip of a small picture. So threads are woken once for many passes and none waits
for a pass to end: a strip is done as soon as the rows it needs of earlier passes are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Condition

_PIXELS = 1 << 17
"""Of a strip. Measured: below, the overhead of each call shows; above, threads share the work unevenly."""
_FEWEST_ROWS = 16
"""Strips recompute the rows around them; of very wide pictures they are taller than the cache would like."""
_ALONE_PIXELS = 1 << 14
"""Of a picture that is done in one strip."""
_MARGIN_ROWS = 16
"""Below a strip: no pass looks further, at the picture's own height or half of it."""

Work = Callable[[int, int], None]
"""Does rows ``[first, last)``; ``first`` is even, and so is ``last`` but at the picture's end."""


@dataclass(slots=True, eq=False)
class Pass:
    """Work on every row of a picture. Lasts for one ``Strips.run``."""

    height: int
    rows: int
    """Of a strip."""
    work: Work
    after: tuple[Pass, ...]
    """Passes over the same picture, or one half or twice as high, of which a strip needs the rows around its own."""
    after_all_of: tuple[Pass, ...]
    """Passes of which a strip needs every row."""
    begun: int = 0
    """Rows from the top that a thread has or had in hand."""
    done: int = 0
    """Rows from the top."""
    _ahead: dict[int, int] = field(default_factory=dict)
    """Strips done below those: first row, row after the last."""

    def is_ready(self) -> bool:
        """Whether all that the next strip needs is there."""
        last = min(self.begun + self.rows, self.height)
        for earlier in self.after:
            # A strip of a picture half as high needs as many rows more of it.
            needed = -(-last * earlier.height // self.height) + _MARGIN_ROWS
            if earlier.done < min(needed, earlier.height):
                return False
        return all(earlier.done == earlier.height for earlier in self.after_all_of)

    def finish(self, first: int, last: int) -> None:
        """Take note of a strip."""
        self._ahead[first] = last
        while self.done in self._ahead:
            self.done = self._ahead.pop(self.done)


class Strips:
    """The caller's thread and its helpers, who sleep between calls.

    Args:
        threads: 1 works in the caller's thread alone.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._helpers = ThreadPoolExecutor(threads - 1, "fusion") if threads > 1 else None

    def over(
        self,
        height: int,
        width: int,
        work: Work,
        *,
        after: Iterable[Pass] = (),
        after_all_of: Iterable[Pass] = (),
    ) -> Pass:
        """A pass over a picture of ``height`` x ``width``, to be run."""
        rows = height
        if self._helpers is not None and height * width > _ALONE_PIXELS:
            # At least two strips a thread: whoever wakes late does fewer.
            rows = min(max(_FEWEST_ROWS, _PIXELS // width), -(-height // (2 * self.threads)))
            rows += rows % 2
        return Pass(height, rows, work, tuple(after), tuple(after_all_of))

    def in_turn(
        self, height: int, width: int, works: Sequence[Work], *, after: Iterable[Pass], after_all_of: Iterable[Pass]
    ) -> list[Pass]:
        """Passes over a picture, each after the one before, at least one; over a small one they are one."""
        first = self.over(height, width, works[0], after=after, after_all_of=after_all_of)
        if first.rows < height:
            passes = [first]
            for work in works[1:]:
                passes.append(self.over(height, width, work, after=passes[-1:]))
            return passes

        def work_in_turn(first: int, last: int) -> None:
            for work in works:
                work(first, last)

        return [replace(first, work=work_in_turn)]

    def run(self, passes: Iterable[Pass]) -> None:
        """Do passes and wait for all. Of those whose next strip can be done, the one given first goes first."""
        run = _Run(list(passes))
        if self._helpers is None:
            run.share()
            return
        helpers = [self._helpers.submit(run.share) for _ in range(self.threads - 1)]
        try:
            run.share()
        finally:
            for helper in helpers:
                # One that has not woken has nothing left to do.
                if not helper.cancel():
                    helper.result()

    def close(self) -> None:
        """Send the helpers home; nothing is called afterwards."""
        if self._helpers is not None:
            self._helpers.shutdown()


def each(number: int, work: Callable[[int], None], *, after_all_of: Iterable[Pass] = ()) -> Pass:
    """Calls of ``work`` with 0 ... ``number`` - 1, at least one, as a pass of which each is a strip."""
    return Pass(number, 1, lambda first, _: work(first), (), tuple(after_all_of))


class _Run:
    """Passes while they are done."""

    def __init__(self, passes: list[Pass]) -> None:
        self._left = passes
        self._change = Condition()

    def share(self) -> None:
        """Do strips until there are none left to begin.

        Raises:
            Exception: what a strip raised; no other is begun then.
        """
        strip = self._next(None)
        while strip is not None:
            work, first, last = strip[0].work, strip[1], strip[2]
            try:
                work(first, last)
            except BaseException:
                self._give_up()
                raise
            strip = self._next(strip)

    def _next(self, finished: tuple[Pass, int, int] | None) -> tuple[Pass, int, int] | None:
        """The strip to do after another, as soon as there is one; None where all are begun."""
        with self._change:
            if finished is not None:
                finished[0].finish(*finished[1:])
                self._change.notify_all()
            while self._left:
                for candidate in self._left:
                    if candidate.is_ready():
                        return self._begin(candidate)
                self._change.wait()
            return None

    def _begin(self, chosen: Pass) -> tuple[Pass, int, int]:
        first = chosen.begun
        chosen.begun = min(first + chosen.rows, chosen.height)
        if chosen.begun == chosen.height:
            self._left.remove(chosen)
        return chosen, first, chosen.begun

    def _give_up(self) -> None:
        with self._change:
            self._left.clear()
            self._change.notify_all()
