"""How much of a picture the network sees."""

from __future__ import annotations

import pytest

from stages.fusion.mode import working_side


@pytest.mark.parametrize(("size", "side"), [((1080, 1920), 120), ((3840, 2160), 240), ((540, 960), 64), ((40, 30), 64)])
def test_a_stream_sees_the_same_share_of_large_pictures_and_enough_of_small_ones(
    size: tuple[int, int], side: int
) -> None:
    assert working_side("stream", *size) == side


def test_full_sees_all() -> None:
    assert working_side("full", 2160, 3840) is None
