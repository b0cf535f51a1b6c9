"""A perspective camera inside an equirectangular radiance map."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from stages.capture.panorama import Panorama, View
from stages.errors import SourceError


def noise_map(height: int = 64) -> np.ndarray:
    """A map in which every pixel is different, from 0.01 to 100."""
    rng = np.random.default_rng(7)
    return np.exp(rng.uniform(np.log(0.01), np.log(100), (height, 2 * height, 3))).astype(np.float32)


def lamp_map(row: int, column: int) -> np.ndarray:
    """A dark map with one lamp of 4 x 4 pixels in the middle of ``row`` and ``column``."""
    radiance = np.full((256, 512, 3), 0.1, np.float32)
    radiance[row - 2 : row + 2, column - 2 : column + 2] = 1e5
    return radiance


def lamp_position(view: View, radiance: np.ndarray) -> tuple[float, float]:
    """(x, y) of the lamp relative to the middle of the picture."""
    bright = Panorama(radiance).render(view)[..., 0] > 1e3
    rows, columns = np.nonzero(bright)
    return float(columns.mean()) - (view.width - 1) / 2, float(rows.mean()) - (view.height - 1) / 2


def test_a_map_file_is_rendered_as_linear_radiance(tmp_path):
    path = tmp_path / "röom 100%.hdr"
    cv2.imwrite(str(path), np.full((32, 64, 3), (0.5, 1.0, 2.0), np.float32))

    picture = Panorama.load(path).render(View(width=40, height=30))

    assert picture.shape == (30, 40, 3)
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, np.broadcast_to((0.5, 1.0, 2.0), picture.shape), rtol=0.01)


def test_no_rotation_looks_at_the_middle_of_the_map():
    assert lamp_position(View(width=101, height=101), lamp_map(128, 256)) == pytest.approx((0, 0), abs=0.5)


def test_what_lies_right_in_the_map_is_right_in_the_picture():
    x, y = lamp_position(View(width=101, height=101), lamp_map(128, 300))

    assert x == pytest.approx(50.5 * np.tan(44 / 512 * 2 * np.pi), abs=0.5)
    assert y == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("view", "moves"),
    [
        (View(yaw_deg=10, width=101, height=101), (-1, 0)),
        (View(pitch_deg=10, width=101, height=101), (0, 1)),
    ],
)
def test_turning_the_camera_moves_the_picture_the_other_way(view, moves):
    x, y = lamp_position(view, lamp_map(128, 256))

    step = 50.5 * np.tan(np.radians(10))
    assert (x, y) == pytest.approx((moves[0] * step, moves[1] * step), abs=0.5)


def test_rolling_the_camera_clockwise_turns_the_picture_counter_clockwise():
    x, y = lamp_position(View(roll_deg=90, width=101, height=101), lamp_map(128, 300))

    assert abs(x) < 0.5
    assert y < -20


@pytest.mark.parametrize("pitch_deg", [0, 50, 90, -90])
def test_the_seam_and_the_poles_do_not_show(pitch_deg):
    radiance = noise_map()
    behind = View(yaw_deg=180, pitch_deg=pitch_deg, width=48, height=48)
    ahead = View(yaw_deg=0, pitch_deg=pitch_deg, width=48, height=48)

    across_seam = Panorama(radiance).render(behind)
    without_seam = Panorama(np.roll(radiance, 64, axis=1)).render(ahead)

    np.testing.assert_allclose(across_seam, without_seam, rtol=0.02)


def test_rotations_wrap_around():
    panorama = Panorama(noise_map())

    once = panorama.render(View(yaw_deg=25, width=32, height=32))
    thrice = panorama.render(View(yaw_deg=25 + 720, width=32, height=32))

    np.testing.assert_allclose(once, thrice, rtol=1e-3)


def test_a_lamp_gets_no_dark_ring_and_no_brighter_core():
    picture = Panorama(lamp_map(128, 256)).render(View(fov_deg=20, width=200, height=200))

    assert picture.min() == pytest.approx(0.1, rel=1e-4)
    assert picture.max() == pytest.approx(1e5, rel=1e-4)


def test_minified_fine_patterns_become_their_mean():
    radiance = np.ones((512, 1024, 3), np.float32)
    radiance[:, ::2] = 3

    picture = Panorama(radiance).render(View(fov_deg=100, width=32, height=32))

    np.testing.assert_allclose(picture, 2, rtol=1e-3)


def test_broken_pixels_do_not_reach_the_picture():
    radiance = noise_map()
    radiance[30:34, 60:68] = np.nan
    radiance[20, 60] = np.inf
    radiance[40, 60] = -1

    picture = Panorama(radiance).render(View(width=64, height=64))

    assert np.isfinite(picture).all()
    assert (picture > 0).all()


def test_rays_and_projection_are_each_others_inverse():
    view = View(yaw_deg=130, pitch_deg=-35, roll_deg=20, fov_deg=75, width=33, height=21)

    positions = view.project(view.rays())

    columns, rows = np.meshgrid(np.arange(33), np.arange(21))
    np.testing.assert_allclose(positions, np.stack([columns, rows], axis=-1), atol=1e-3)


def test_what_lies_behind_the_camera_has_no_place_in_the_picture():
    behind = View(yaw_deg=180, fov_deg=60, width=8, height=8).rays()

    assert np.isnan(View(fov_deg=60, width=8, height=8).project(behind)).all()


def test_threads_may_render_from_one_map():
    panorama = Panorama(noise_map())
    views = [View(yaw_deg=yaw, width=64, height=64) for yaw in range(0, 360, 45)]
    alone = [panorama.render(view) for view in views]
    together: dict[int, np.ndarray] = {}

    def render(number: int) -> None:
        together[number] = panorama.render(views[number])

    threads = [threading.Thread(target=render, args=(number,)) for number in range(len(views))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number, picture in enumerate(alone):
        np.testing.assert_array_equal(together[number], picture)


def test_a_missing_map_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.hdr: no such file"):
        Panorama.load(tmp_path / "nowhere.hdr")


HEADER = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n"


@pytest.mark.parametrize("content", [b"", b"no picture", HEADER % (32, 64), HEADER % (320000, 640000)])
def test_what_is_no_map_is_refused_without_a_word_from_opencv(tmp_path, capfd, content):
    path = tmp_path / "text.hdr"
    path.write_bytes(content)

    with pytest.raises(SourceError, match=r"text\.hdr: no radiance map or damaged"):
        Panorama.load(path)

    assert capfd.readouterr() == ("", "")


def test_an_ordinary_picture_is_refused(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.zeros((32, 64, 3), np.uint8))

    with pytest.raises(SourceError, match="no radiance map"):
        Panorama.load(path)


def test_a_map_that_is_not_equirectangular_is_refused(tmp_path):
    path = tmp_path / "square.hdr"
    cv2.imwrite(str(path), np.ones((64, 64, 3), np.float32))

    with pytest.raises(SourceError, match=r"square\.hdr: .* got \(64, 64, 3\)"):
        Panorama.load(path)


@pytest.mark.parametrize("settings", [{"fov_deg": 0}, {"fov_deg": 180}, {"width": 0}, {"height": -1}])
def test_impossible_views_are_refused(settings):
    with pytest.raises(ValueError, match="got"):
        View(**settings)
