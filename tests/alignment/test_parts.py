"""The pieces of the alignment, each by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.alignment.crew import Crew
from stages.alignment.exposure import difference_stops, exposed_by, tremor_stops
from stages.alignment.fill import fill_from_surroundings
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.median import median
from stages.alignment.resampling import fit, shrink
from stages.alignment.shifting import shift_rows
from stages.alignment.warp import lay_warped_over, warp_planes
from stages.frame import BT709, ColorRange, ColorTags, Planes
from tests.alignment.scenes import photograph, psnr_db, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)
CREW = Crew()


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_curves_bring_one_exposure_to_the_other(bit_depth: int) -> None:
    scene = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    under, over = (
        photograph(scene, stops=stops, noise=0.003, seed=seed, bit_depth=bit_depth)
        for seed, stops in enumerate((0.0, 3.0))
    )
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    assert mapping.under_to_over.shape == mapping.over_to_under.shape == (1 << bit_depth,)
    assert mapping.under_to_over.dtype == under.luma.dtype
    for curve in (mapping.under_to_over, mapping.over_to_under):
        assert (np.diff(curve.astype(int)) >= 0).all()
    lifted = Planes(lookup(under.luma, mapping.under_to_over), over.chroma, bit_depth)
    assert psnr_db(lifted, over) > 32
    exposed = (over.luma > 0.2 * over.max_value) & (over.luma < 0.85 * over.max_value)
    lowered = lookup(over.luma, mapping.over_to_under).astype(int)
    assert np.median(np.abs(lowered - under.luma)[exposed]) <= 0.01 * over.max_value


def test_the_curves_hardly_change_when_something_large_moves() -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    there[60:140, 200:300] = there[60:140, 20:120]
    under, over = photograph(here, stops=0), photograph(there, stops=3)
    still = estimate_mapping(under.luma, photograph(here, stops=3).luma, 8)
    moved = estimate_mapping(under.luma, over.luma, 8)
    seen = np.unique(under.luma)
    change = np.abs(still.under_to_over.astype(int) - moved.under_to_over)[seen]
    assert np.median(change) <= 4


def test_a_frame_without_motion_is_the_frame_itself() -> None:
    planes = photograph(window(CANVAS, 90, 160, dx=0, dy=0), stops=1)
    assert warp_planes([planes], np.zeros((45, 80, 2), np.float32), CREW)[0] is planes


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_luma_and_chroma_move_together(bit_depth: int) -> None:
    here, there = (window(CANVAS, 121, 161, dx=dx, dy=0) for dx in (0.0, 4.0))
    frame = photograph(there, stops=1, bit_depth=bit_depth)
    (moved,) = warp_planes([frame], np.full((61, 81, 2), (-2.012, 0), np.float32), CREW)
    truth = photograph(here, stops=1, bit_depth=bit_depth)
    assert psnr_db(moved, truth, border=8) > 40
    chroma_error = np.abs(moved.chroma[:, 4:-4, 4:-4].astype(int) - truth.chroma[:, 4:-4, 4:-4])
    assert chroma_error.mean() < 0.005 * truth.max_value


@pytest.mark.parametrize("flow_px", [0.0, 1.0])
def test_a_frame_is_laid_over_by_the_rest_of_the_weight(flow_px: float) -> None:
    dark, bright = (photograph(window(CANVAS, 90, 160, dx=0, dy=0), stops=stops) for stops in (0, 2))
    picture = Planes(dark.luma.copy(), dark.chroma.copy())
    flow, weight = np.full((45, 80, 2), flow_px, np.float32), np.full((45, 80), 0.4, np.float32)
    lay_warped_over(picture, bright, flow, weight, CREW)
    (moved,) = warp_planes([bright], flow, CREW)
    for mixed, first, second in zip(
        (picture.luma, *picture.chroma), (dark.luma, *dark.chroma), (moved.luma, *moved.chroma), strict=True
    ):
        assert np.abs(mixed - (0.4 * first + 0.6 * second)).max() <= 1.5


def test_known_content_is_continued_into_a_hole() -> None:
    ramp = np.linspace(0, 100, 64, dtype=np.float32)
    values = np.broadcast_to(ramp[:, None, None], (64, 48, 3))
    weight = np.ones((64, 48), np.float32)
    weight[20:40, 10:30] = 0
    filled = fill_from_surroundings(np.where(weight[..., None] > 0, values, 999).astype(np.float32), weight)
    assert np.abs(filled - values)[weight > 0].max() < 1e-3
    assert np.abs(filled - values).max() < 15


def test_black_and_white_follow_range_and_depth() -> None:
    full = ColorTags(range=ColorRange.FULL)
    assert [Levels.of(tags, depth) for tags in (ColorTags(), full) for depth in (8, 10)] == [
        Levels(16, 235),
        Levels(64, 940),
        Levels(0, 255),
        Levels(0, 1023),
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(2, 3), (17, 33), (90, 161)])
@pytest.mark.parametrize("cubic", [True, False])
@pytest.mark.parametrize("blur_px", [5, 100])
def test_pixels_are_fetched_as_opencv_does(dtype: type, height: int, width: int, cubic: bool, blur_px: int) -> None:
    rng = np.random.default_rng(1)
    top = 255 if dtype is np.uint8 else 1023
    source = cv2.GaussianBlur(rng.uniform(0, top, (height, width)).astype(np.float32), (0, 0), 1.5).astype(dtype)
    across, down = (
        cv2.GaussianBlur(rng.normal(0, 8 * blur_px, (height, width)).astype(np.float32), (0, 0), blur_px)
        for _ in range(2)
    )
    target = np.empty_like(source)
    shift_rows((source,), across, down, 1.0, 1, height, (target,), np.empty((0, 0), np.uint8), top, cubic, 0, height)
    x, y = across + np.arange(width, dtype=np.float32), down + np.arange(height, dtype=np.float32)[:, None]
    method = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    theirs = np.minimum(cv2.remap(source, x, y, method, borderMode=cv2.BORDER_REPLICATE), top)
    # OpenCV counts in 32nds of a pixel.
    assert np.abs(target.astype(int) - theirs).max() <= 0.02 * top


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_median_is_numpys(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size).astype(np.float32)
    assert median(values) == np.median(values)


def test_a_whole_number_of_pixels_is_averaged_as_opencv_does() -> None:
    plane = np.random.default_rng(1).integers(0, 256, (90, 192)).astype(np.uint8)
    for long_side in (64, 48, 50, 96, 192):
        assert np.abs(shrink(plane, long_side).astype(int) - fit(plane, long_side)).max() <= 1


@pytest.mark.parametrize("stops", [-0.15, 0.1])
def test_a_difference_of_exposure_is_measured_and_taken_away(stops: float) -> None:
    scene, levels = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), Levels.of(BT709, 8)
    steady, trembling = photograph(scene, stops=2, noise=0.004), photograph(scene, stops=2 + stops, noise=0.004, seed=1)
    trust = np.ones((HEIGHT, WIDTH), np.float32)
    measured = difference_stops(steady.luma, trembling.luma, trust, levels)
    assert measured == pytest.approx(-stops, abs=0.02)
    assert psnr_db(exposed_by(trembling, measured, levels, CREW), steady) > psnr_db(trembling, steady) + 5
    assert exposed_by(steady, 0.001, levels, CREW) is steady
    assert tremor_stops(1.0, frames_seen=20) == 0
    assert abs(tremor_stops(stops, frames_seen=20)) < abs(stops)
    assert difference_stops(steady.luma, trembling.luma, 0 * trust, levels) == 0
