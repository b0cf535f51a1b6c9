"""Threads that share rows and lend memory."""

from __future__ import annotations

import time

import numpy as np
import pytest

from stages.alignment.crew import Crew

CREW = Crew()


def test_a_crew_works_through_every_row_once_and_lets_errors_through() -> None:
    large, small = np.zeros(1000, int), np.zeros(3, int)

    def count(start: int, end: int) -> None:
        large[start:end] += 1

    def count_few(start: int, end: int) -> None:
        small[start:end] += 1

    CREW.rows(((1000, 1000), count), ((3, 20), count_few))
    assert (large == 1).all()
    assert (small == 1).all()

    def fail(*_: int) -> None:
        raise ValueError("in a helper")

    with pytest.raises(ValueError, match="in a helper"):
        CREW.rows(((1000, 1000), count), ((1000, 1000), fail))

    at_work = []

    def fail_late(start: int, _: int) -> None:
        at_work.append(start)
        time.sleep(0.02)
        at_work.remove(start)
        raise ValueError("in a helper")

    with pytest.raises(ValueError, match="in a helper"):
        CREW.rows(((1000, 1000), fail_late))
    assert not at_work

    with pytest.raises(ValueError, match="in a helper"):
        CREW.both(lambda: None, fail)
    with pytest.raises(ValueError, match="in a helper"):
        CREW.both(fail, lambda: None)


def test_helpers_may_ask_for_help() -> None:
    def inner() -> tuple[int, int]:
        return CREW.both(lambda: 1, lambda: 2)

    assert CREW.both(lambda: CREW.both(inner, inner), lambda: CREW.both(inner, inner)) == (((1, 2), (1, 2)),) * 2
