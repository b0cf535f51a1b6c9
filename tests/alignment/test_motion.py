"""Motion between two pictures at the working size."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.camera import camera_motion, coarse_shift
from stages.alignment.crew import Crew
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.motion import MotionEstimator
from tests.alignment.scenes import eight_bit, photograph, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)
CREW = Crew()


@pytest.mark.parametrize(("dx", "dy"), [(0.6, 0.4), (5.3, -2.6), (-40.0, 18.0)])
def test_a_shift_is_recovered_to_a_fraction_of_a_pixel(dx: float, dy: float) -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=dx, dy=dy)
    under, over = photograph(there, stops=0, noise=0.004), photograph(here, stops=3, noise=0.004, seed=1)
    lifted = lookup(under.luma, estimate_mapping(under.luma, over.luma, 8).under_to_over)
    motion = MotionEstimator(CREW).estimate(eight_bit(over.luma), eight_bit(lifted))
    # The scene moves against the camera.
    error_px = np.linalg.norm(motion.flow + np.array([dx, dy]), axis=-1)
    exposed = (over.luma > 40) & (over.luma < 220)
    exposed[:, :48] = exposed[:, -48:] = exposed[:24] = exposed[-24:] = False
    assert np.median(error_px[exposed]) < 0.2


def test_motion_found_at_half_the_size_is_told_in_pixels_of_the_whole() -> None:
    canvas = textured_radiance(360 + 64, 641 + 64, seed=3)
    here, there = (eight_bit(photograph(window(canvas, 361, 641, dx=dx, dy=0), stops=2).luma) for dx in (0.0, 5.3))
    for motion, across in zip(MotionEstimator(CREW).estimate_both(there, here), (5.3, -5.3), strict=True):
        assert motion.flow.shape == (361, 641, 2)
        assert motion.round_trip_px.shape == (361, 641)
        middle = motion.flow[20:-20, 20:-20]
        assert np.median(np.abs(middle - (across, 0))) < 0.06


def test_noise_moves_nothing() -> None:
    scene = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    first, second = (eight_bit(photograph(scene, stops=2, noise=0.02, seed=seed).luma) for seed in (1, 2))
    assert np.mean(np.abs(MotionEstimator(CREW).estimate(first, second).flow)) < 0.02


def test_the_coarse_shift_is_taken_only_when_it_helps() -> None:
    here, there = (
        eight_bit(photograph(window(CANVAS, HEIGHT, WIDTH, dx=dx, dy=0), stops=2).luma) for dx in (0.0, 30.0)
    )
    unrelated = eight_bit(photograph(textured_radiance(HEIGHT, WIDTH, seed=50), stops=2).luma)
    x, y = coarse_shift(here, there)
    assert (x, y) == pytest.approx((-30, 0), abs=3)
    assert coarse_shift(here, here) == (0, 0)
    assert coarse_shift(here, unrelated) == (0, 0)


@pytest.mark.parametrize(("turn_deg", "seen_columns"), [(-3.0, 200), (3.0, 200), (-3.0, 110), (3.0, 110)])
def test_the_motion_of_a_turning_camera_is_known_where_nothing_shows_it(turn_deg: float, seen_columns: int) -> None:
    focal_px = WIDTH / 2 / np.tan(np.radians(50))  # a wide angle, at which a turn bends the picture
    columns = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / focal_px
    rows = ((np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / focal_px)[:, None]
    turned = np.arctan(columns) + np.radians(turn_deg)
    truth = np.empty((HEIGHT, WIDTH, 2), np.float32)
    truth[..., 0] = focal_px * (np.tan(turned) - columns)
    truth[..., 1] = focal_px * rows * (np.cos(np.arctan(columns)) / np.cos(turned) - 1)
    seen = truth + 0.1 * np.random.default_rng(3).standard_normal(truth.shape).astype(np.float32)
    held = np.ones((HEIGHT, WIDTH), np.float32)
    # A wall of one colour, or white in the longer exposure.
    seen[:, seen_columns:], held[:, seen_columns:] = 0, 0
    found = camera_motion(seen, held, np.zeros((HEIGHT, WIDTH), np.float32), pixel=1)
    assert np.abs(found - truth)[:, :seen_columns].max() < 0.2
    assert np.abs(found - truth).max() < 1


def test_the_motion_of_a_camera_that_drives_past_a_plane_is_not_taken_for_a_turn() -> None:
    columns = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / (WIDTH / 2)
    rows = ((np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / (WIDTH / 2))[:, None]
    truth = np.empty((HEIGHT, WIDTH, 2), np.float32)
    truth[..., 0], truth[..., 1] = 6 + 2 * columns + 3 * rows, -1 + 0 * columns - 1.5 * rows
    seen = truth + 0.1 * np.random.default_rng(3).standard_normal(truth.shape).astype(np.float32)
    found = camera_motion(seen, np.ones_like(seen[..., 0]), np.zeros((HEIGHT, WIDTH), np.float32), pixel=1)
    assert np.abs(found - truth).max() < 0.2
