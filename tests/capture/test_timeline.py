from __future__ import annotations

from fractions import Fraction

import pytest

from stages.capture.timeline import Timeline


@pytest.mark.parametrize(
    ("stream_says", "placed"),
    [
        ([7, 20, 21, 500], [7, 20, 21, 500]),
        ([-40, 0, 40], [-40, 0, 40]),
        ([None, None, None], [0, 40, 80]),
        ([0, None, 80, None, None, 200], [0, 40, 80, 120, 160, 200]),
        ([0, 40, 40, 80, 120], [0, 40, 60, 80, 120]),
        ([0, 40, 30, 80], [0, 40, 60, 80]),
        ([5000, 5040, 0, 40, 80], [5000, 5040, 5080, 5120, 5160]),
    ],
    ids=["kept", "negative", "none", "some missing", "doubled", "out of order", "starts again"],
)
def test_times_only_ever_go_forward(stream_says: list[int | None], placed: list[int]) -> None:
    timeline = Timeline(time_base=Fraction(1, 1000), frame_rate=Fraction(25))
    assert [timeline.place(pts) for pts in stream_says] == placed


def test_a_coarse_time_base_does_not_make_missing_times_drift() -> None:
    timeline = Timeline(time_base=Fraction(1, 1000), frame_rate=Fraction(30000, 1001))
    placed = [timeline.place(None) for _ in range(1000)]
    assert placed == [round(Fraction(1001, 30) * i) for i in range(1000)]


def test_without_a_frame_rate_every_frame_takes_one_unit() -> None:
    timeline = Timeline(time_base=Fraction(1, 1000), frame_rate=None)
    assert [timeline.place(None) for _ in range(3)] == [0, 1, 2]
