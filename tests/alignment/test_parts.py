"""The pieces of the alignment, each by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.alignment.camera import Picture, camera_motion, coarse_shift
from stages.alignment.confidence import CHECKED, confidence_map
from stages.alignment.crew import Crew
from stages.alignment.exposure import difference_stops, exposed_by, tremor_stops
from stages.alignment.fill import fill_from_surroundings
from stages.alignment.grain import Grain
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.median import median
from stages.alignment.motion import Motion, MotionEstimator
from stages.alignment.plausible import plausible_codes
from stages.alignment.resampling import fit, shrink
from stages.alignment.shifting import shift_rows
from stages.alignment.substitute import chroma_gains, replace_untrusted
from stages.alignment.warp import lay_warped_over, warp_planes
from stages.frame import BT709, ColorRange, ColorTags, PixelArray, Planes
from tests.alignment.scenes import photograph, psnr_db, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)
CREW = Crew()


def eight_bit(luma: PixelArray) -> Picture:
    return luma.astype(np.uint8)


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
    motion = Motion(np.full((HEIGHT, WIDTH, 2), (step_px, 0), np.float32), np.zeros((HEIGHT, WIDTH), np.float32))
    trust = confidence_map(here, moved, motion, CREW)
    inside = (seen >= 0) & (seen < WIDTH)
    assert trust[:, inside].min() >= CHECKED
    assert trust[:, ~inside].max() == 0


@pytest.mark.parametrize(("camera_px", "checked"), [(0.0, True), (8.0, False)])
def test_what_differs_by_a_pixel_is_checked_unless_a_shutter_smears_it(camera_px: float, checked: bool) -> None:
    here, there = np.full((HEIGHT, WIDTH), 90, np.uint8), np.full((HEIGHT, WIDTH), 90, np.uint8)
    here[:, 100], there[:, 101] = 160, 160
    motion = Motion(np.full((HEIGHT, WIDTH, 2), (0, camera_px), np.float32), np.zeros((HEIGHT, WIDTH), np.float32))
    trust = confidence_map(here, there, motion, CREW)[40:-40]
    assert trust[:, 100].max() < 1 if checked else trust[:, 100].min() == 1
    assert trust.min() >= CHECKED - 1e-6
    assert trust[:, 120:].min() == 1


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


def test_colour_follows_the_brightness_and_fades_towards_white() -> None:
    levels = Levels.of(BT709, 8)
    codes = np.arange(256)
    twice = np.clip((codes - 16) * 2 + 16, 16, 235).astype(np.uint8)
    gains = chroma_gains(twice, levels)
    assert gains[60] == pytest.approx(2)
    assert gains[200] == 0
    assert 0 <= gains.min() <= gains.max() <= 4


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("reference_is_under", [True, False])
def test_the_reference_stands_in_at_the_other_exposure(reference_is_under: bool, bit_depth: int) -> None:
    scene = window(CANVAS, HEIGHT + 1, WIDTH + 1, dx=0, dy=0)
    under, over = (photograph(scene, stops=stops, bit_depth=bit_depth) for stops in (0, 2))
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    if reference_is_under:
        reference, truth, curve = under, over, mapping.under_to_over
    else:
        reference, truth, curve = over, under, mapping.over_to_under
    wrong = truth.luma[::-1].copy()
    neighbour = Planes(wrong.copy(), truth.chroma[::-1].copy(), bit_depth)
    trusted = np.zeros((HEIGHT + 1, WIDTH + 1), np.float32)
    trusted[:, WIDTH // 2 :] = 1
    levels = Levels.of(BT709, bit_depth)
    replace_untrusted(neighbour, reference, trusted, curve, None, levels, CREW, reference_is_under=reference_is_under)
    assert (neighbour.luma[:, WIDTH // 2 :] == wrong[:, WIDTH // 2 :]).all()
    replaced = np.s_[:, : WIDTH // 2]
    stand_in, wanted = (
        Planes(planes.luma[replaced], planes.chroma[:, :, : WIDTH // 4], bit_depth) for planes in (neighbour, truth)
    )
    assert psnr_db(stand_in, wanted) > 28
    exposed = over.luma[::2, : WIDTH // 2 : 2] < 0.75 * over.max_value
    error = np.abs(stand_in.chroma.astype(int) - wanted.chroma)[:, exposed]
    neutral = np.abs((truth.max_value + 1) // 2 - wanted.chroma.astype(int))[:, exposed]
    assert error.mean() < neutral.mean() / 2


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("reference_is_under", [True, False])
def test_a_thin_thing_beside_its_place_is_put_right(reference_is_under: bool, bit_depth: int) -> None:
    scene, slipped = (window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0) for _ in range(2))
    scene[:, 40:280:12], slipped[:, 41:281:12] = 0.004, 0.004
    stops = (0, 3) if reference_is_under else (3, 0)
    reference, truth = (photograph(scene, stops=each, noise=0.002, bit_depth=bit_depth) for each in stops)
    wrong = photograph(slipped, stops=stops[1], noise=0.002, seed=1, bit_depth=bit_depth)
    under, over = (reference, truth) if reference_is_under else (truth, reference)
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    curve = mapping.under_to_over if reference_is_under else mapping.over_to_under
    trust, levels = np.full((HEIGHT, WIDTH), CHECKED, np.float32), Levels.of(BT709, bit_depth)
    trust[: HEIGHT // 2] = 1
    plausible = plausible_codes(curve, Grain.of(reference.luma, bit_depth).deviation, levels)
    neighbour = Planes(wrong.luma.copy(), wrong.chroma.copy(), bit_depth)
    replace_untrusted(
        neighbour, reference, trust, curve, plausible, levels, CREW, reference_is_under=reference_is_under
    )
    assert (neighbour.luma[: HEIGHT // 2] == wrong.luma[: HEIGHT // 2]).all()
    assert (neighbour.chroma == wrong.chroma).all()
    errors = [
        np.abs(planes.luma[HEIGHT // 2 :] - truth.luma[HEIGHT // 2 :].astype(float)).mean()
        for planes in (wrong, neighbour)
    ]
    assert errors[1] < 0.65 * errors[0]


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_noise_of_a_nearly_white_thing_is_not_multiplied(bit_depth: int) -> None:
    """Beside a lamp, white in both exposures, the curve rises from nearly white to white by half its range."""
    scene = np.full((HEIGHT, WIDTH, 3), 0.02, np.float32)
    scene[:, :120], scene[80:160, 200:280] = 4, 0.121
    under, over = (photograph(scene, stops=stops, noise=0.05, seed=1, bit_depth=bit_depth) for stops in (0, 3))
    curve = estimate_mapping(under.luma, over.luma, bit_depth).over_to_under
    thing, unit = np.s_[84:156, 204:276], 1 << (bit_depth - 8)
    assert lookup(over.luma, curve)[thing].std() > 20 * unit
    trust = np.ones((HEIGHT, WIDTH), np.float32)
    trust[60:180, 180:] = 0
    neighbour = Planes(under.luma.copy(), under.chroma.copy(), bit_depth)
    replace_untrusted(neighbour, over, trust, curve, None, Levels.of(BT709, bit_depth), CREW, reference_is_under=False)
    assert neighbour.luma[thing].std() < 8 * unit
    assert abs(neighbour.luma[thing].mean() - under.luma[thing].mean()) < 15 * unit


def test_noise_alone_is_plausible() -> None:
    scene = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    under, over = (photograph(scene, stops=stops, noise=0.02, seed=seed) for seed, stops in enumerate((0, 2)))
    curve, levels = estimate_mapping(under.luma, over.luma, 8).under_to_over, Levels.of(BT709, 8)
    lowest, highest = plausible_codes(curve, Grain.of(under.luma, 8).deviation, levels)
    fits = (over.luma >= lowest[under.luma]) & (over.luma <= highest[under.luma])
    assert fits.mean() > 0.9


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

    with pytest.raises(ValueError, match="in a helper"):
        CREW.both(lambda: None, fail)
    with pytest.raises(ValueError, match="in a helper"):
        CREW.both(fail, lambda: None)


def test_helpers_may_ask_for_help() -> None:
    def inner() -> tuple[int, int]:
        return CREW.both(lambda: 1, lambda: 2)

    assert CREW.both(lambda: CREW.both(inner, inner), lambda: CREW.both(inner, inner)) == (((1, 2), (1, 2)),) * 2


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
