"""The quick conversion for screens against the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from stages.color import planes_from_bgr, screen_bgr
from stages.frame import ColorRange, ColorTags


@pytest.mark.parametrize("color_range", [ColorRange.LIMITED, ColorRange.FULL])
@pytest.mark.parametrize("matrix", [1, 2, 6, 9])
def test_the_screen_shows_the_tagged_colours(matrix: int, color_range: ColorRange) -> None:
    tags = ColorTags(matrix=matrix, range=color_range)
    patches = np.random.default_rng(1).uniform(0, 1, (24, 32, 3)).astype(np.float32)
    # Patches of two by two share their chroma exactly.
    bgr = patches.repeat(2, axis=0).repeat(2, axis=1)
    planes = planes_from_bgr(bgr, tags)
    wide = [plane.repeat(2, axis=0).repeat(2, axis=1) for plane in planes.chroma]
    shown = screen_bgr([planes.luma, *wide], tags, height=planes.height)
    assert shown.dtype == np.uint8
    assert np.abs(shown - 255 * bgr).max() < 4
    scratch, result = (np.empty(shown.shape, np.uint8) for _ in range(2))
    again = screen_bgr([planes.luma, *wide], tags, height=planes.height, merged=scratch, bgr=result)
    assert np.shares_memory(again, result)
    np.testing.assert_array_equal(again, shown)
