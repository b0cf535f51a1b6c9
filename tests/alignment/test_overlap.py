"""Curves between exposures of a camera that turns."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.intensity import estimate_mapping
from stages.alignment.overlap import shared, shift_between
from stages.frame import PixelArray
from tests.alignment.scenes import photograph, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)


def overlap(under: PixelArray, over: PixelArray, bit_depth: int) -> tuple[PixelArray, PixelArray]:
    return shared(under, over, shift_between(under, over, bit_depth))


@pytest.mark.parametrize("dx", [-24.0, 24.0])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_only_one_picture_shows_does_not_bend_the_curves(dx: float, bit_depth: int) -> None:
    canvas = CANVAS.copy()
    canvas[:, slice(0, 32 + 24) if dx > 0 else slice(32 + WIDTH - 24, None)] = 0.6  # a window at the side
    here, there = (window(canvas, HEIGHT, WIDTH, dx=step, dy=0) for step in (0.0, dx))
    under, over, longer = (
        photograph(seen, stops=stops, noise=0.003, seed=seed, bit_depth=bit_depth)
        for seed, (seen, stops) in enumerate(((here, 0.0), (there, 3.0), (here, 3.0)))
    )
    truth = estimate_mapping(under.luma, longer.luma, bit_depth).under_to_over.astype(int)
    seen_codes = np.unique(under.luma)
    errors = [
        np.abs(estimate_mapping(*lumas, bit_depth).under_to_over - truth)[seen_codes].max()
        for lumas in ((under.luma, over.luma), overlap(under.luma, over.luma, bit_depth))
    ]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(("dx", "dy"), [(24.0, 0.0), (-18.0, 12.0), (0.0, -20.0)])
def test_both_parts_show_the_same(dx: float, dy: float) -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=dx, dy=dy)
    first, second = overlap(photograph(here, stops=2).luma, photograph(there, stops=2).luma, 8)
    assert first.shape == second.shape
    assert first.size > 0.8 * HEIGHT * WIDTH
    assert (
        np.abs(first.astype(int) - second).mean()
        < 0.3 * np.abs(photograph(here, stops=2).luma.astype(int) - photograph(there, stops=2).luma).mean()
    )


def test_of_a_camera_that_stands_still_all_is_shared() -> None:
    scene = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    under, over = (photograph(scene, stops=stops, noise=0.003, seed=1).luma for stops in (0, 3))
    assert [part.shape for part in overlap(under, over, 8)] == [under.shape] * 2
