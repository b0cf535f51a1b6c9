"""Passes in strips: every row once, none before what it needs, whoever does it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import numpy as np
import pytest

from stages.fusion.strips import Pass, Strips, each


@pytest.fixture(params=[1, 2, 4])
def strips(request: pytest.FixtureRequest) -> Iterator[Strips]:
    made = Strips(request.param)
    yield made
    made.close()


WIDE = 1 << 13
"""So wide that strips have few rows."""


def blurring(strips: Strips, source: np.ndarray, target: np.ndarray, after: list[Pass]) -> Pass:
    """Each row becomes the sum of those up to 12 rows around it, at an uneven pace."""
    height = len(source)

    def work(first: int, last: int) -> None:
        time.sleep(random.random() * 1e-3)
        for y in range(first, last):
            target[y] = source[max(y - 12, 0) : min(y + 13, height)].sum()

    return strips.over(height, WIDE, work, after=after)


@pytest.mark.parametrize("height", [1, 2, 33, 250])
def test_a_strip_finds_the_rows_around_it_done_and_leaves_those_that_others_still_read(
    strips: Strips, height: int
) -> None:
    planes = [np.arange(height, dtype=np.int64), np.zeros(height, np.int64)]
    expected = planes[0].copy()
    passes: list[Pass] = []
    for step in range(5):
        # Back and forth between two planes.
        passes.append(blurring(strips, planes[step % 2], planes[1 - step % 2], passes[-1:]))
        expected = np.array([expected[max(y - 12, 0) : y + 13].sum() for y in range(height)])
    strips.run(passes)
    assert (planes[1] == expected).all()


def test_a_picture_half_as_high_and_one_twice_as_high_find_theirs(strips: Strips) -> None:
    full, half, back = np.zeros(301), np.zeros(151), np.zeros(301)

    def fill(first: int, last: int) -> None:
        full[first:last] = np.arange(first, last)

    def reduce(first: int, last: int) -> None:
        for y in range(first, last):
            half[y] = full[max(2 * y - 1, 0) : 2 * y + 3].max()

    def expand(first: int, last: int) -> None:
        for y in range(first, last):
            back[y] = half[max(y // 2 - 1, 0) : y // 2 + 2].max()

    filled = strips.over(301, WIDE, fill)
    reduced = strips.over(151, WIDE, reduce, after=[filled])
    strips.run([filled, reduced, strips.over(301, WIDE, expand, after=[reduced])])
    assert (back == np.minimum(np.arange(301) // 2 * 2 + 4, 300)).all()


def test_a_pass_waits_for_all_of_another(strips: Strips) -> None:
    seen: list[int] = []

    def slow(index: int) -> None:
        time.sleep(2e-3)
        seen.append(index)

    first = each(5, slow)
    counts: list[int] = []
    # Passes that come first are done first where they can be.
    strips.run([each(3, lambda _: counts.append(len(seen)), after_all_of=[first]), first])
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert counts == [5, 5, 5]


def test_passes_in_turn_are_one_over_a_small_picture_and_many_over_a_large_one(strips: Strips) -> None:
    def works(done: list[str]) -> list:
        return [lambda first, last, name=name: done.append(name) for name in "abc"]

    done: list[str] = []
    small = strips.in_turn(8, 8, works(done), after=[], after_all_of=[])
    strips.run(small)
    assert (len(small), done) == (1, ["a", "b", "c"])
    done.clear()
    large = strips.in_turn(256, WIDE, works(done), after=[], after_all_of=[])
    strips.run(large)
    assert len(large) == (1 if strips.threads == 1 else 3)
    assert done.count("a") == done.count("b") == done.count("c") > 0


def test_what_a_strip_raises_comes_out_and_nothing_is_begun_after_it(strips: Strips) -> None:
    begun: list[int] = []

    def work(index: int) -> None:
        begun.append(index)
        if index == 2:
            raise ValueError("row 2")

    with pytest.raises(ValueError, match="row 2"):
        strips.run([each(1000, work)])
    assert len(begun) < 1000
    # They go on working.
    strips.run([each(10, begun.append)])
    assert begun[-1] in range(10)
