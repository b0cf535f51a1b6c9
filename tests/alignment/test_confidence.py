"""Where a neighbour can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.confidence import CHECKED, confidence_map
from stages.alignment.crew import Crew
from stages.alignment.motion import Motion, MotionEstimator
from tests.alignment.scenes import eight_bit, photograph, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)
CREW = Crew()


def uniform(step_px: tuple[float, float]) -> Motion:
    """All of the picture moves by (x, y) pixels."""
    flow = np.full((HEIGHT, WIDTH, 2), step_px, np.float32)
    return Motion(flow, np.zeros((HEIGHT, WIDTH), np.float32), flow)


def test_confidence_is_full_for_equal_pictures_and_none_for_unrelated_ones() -> None:
    here = eight_bit(photograph(window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), stops=2).luma)
    unrelated = eight_bit(photograph(textured_radiance(HEIGHT, WIDTH, seed=50), stops=2).luma)
    still = MotionEstimator(CREW).estimate(here, here)
    assert confidence_map(here, here, still, CREW).min() == 1
    assert confidence_map(here, unrelated, still, CREW).max() < 0.1


@pytest.mark.parametrize("step_px", [-9, 9])
def test_what_enters_the_picture_takes_no_trust_from_what_was_there(step_px: int) -> None:
    here, there = (
        eight_bit(photograph(window(CANVAS, HEIGHT, WIDTH, dx=dx, dy=0), stops=2).luma) for dx in (0, -step_px)
    )
    seen = np.arange(WIDTH) + step_px
    moved = there[:, np.clip(seen, 0, WIDTH - 1)]
    motion = uniform((step_px, 0))
    trust = confidence_map(here, moved, motion, CREW)
    inside = (seen >= 0) & (seen < WIDTH)
    assert trust[:, inside].min() >= CHECKED
    assert trust[:, ~inside].max() == 0


@pytest.mark.parametrize(("camera_px", "checked"), [(0.0, True), (8.0, False)])
def test_what_differs_by_a_pixel_is_checked_unless_a_shutter_smears_it(camera_px: float, checked: bool) -> None:
    here, there = np.full((HEIGHT, WIDTH), 90, np.uint8), np.full((HEIGHT, WIDTH), 90, np.uint8)
    here[:, 100], there[:, 101] = 160, 160
    motion = uniform((0, camera_px))
    trust = confidence_map(here, there, motion, CREW)[40:-40]
    assert trust[:, 100].max() < 1 if checked else trust[:, 100].min() == 1
    assert trust.min() >= CHECKED - 1e-6
    assert trust[:, 120:].min() == 1
