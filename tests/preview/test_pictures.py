"""Pictures are shown upright, in their own shape and in their own colours."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.color import bgr_from_planes, planes_from_bgr
from stages.frame import ColorRange, ColorTags, Planes
from stages.preview import drawing
from stages.preview.drawing import Scratch, full_bgr
from stages.preview.histogram import BINS, histogram
from tests.preview.conftest import flat

SQUARE = Fraction(1)
LIMITED_601 = ColorTags(matrix=6, range=ColorRange.LIMITED)
TAGS = [
    ColorTags(matrix=matrix, range=tag_range)
    for matrix in (1, 6, 9)
    for tag_range in (ColorRange.LIMITED, ColorRange.FULL)
]


def small_bgr(
    planes: Planes, color: ColorTags, *, sample_aspect_ratio: Fraction, rotation_deg: int, largest_side: int
) -> npt.NDArray[np.uint8]:
    """In memory that another picture was drawn in before."""
    scratch = Scratch()
    for shown in (flat(0.7, bit_depth=planes.bit_depth), planes):
        drawn = drawing.small_bgr(
            shown,
            color,
            sample_aspect_ratio=sample_aspect_ratio,
            rotation_deg=rotation_deg,
            largest_side=largest_side,
            scratch=scratch,
        )
    return drawn


def scene(width: int, height: int) -> npt.NDArray[np.float32]:
    """Soft colours; bright at the left upper corner, red there and blue at the right."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, down = columns / max(width - 1, 1), rows / max(height - 1, 1)
    return np.stack([0.2 + 0.6 * across, 0.9 - 0.6 * down, 0.9 - 0.7 * across], axis=-1).astype(np.float32)


@pytest.mark.parametrize("color", TAGS, ids=lambda tags: f"{tags.matrix}-{tags.range.value}")
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", [(64, 48), (33, 21), (1, 1), (2, 7)], ids=str)
def test_the_quick_way_to_the_screen_shows_the_exact_colours(
    color: ColorTags, bit_depth: int, size: tuple[int, int]
) -> None:
    planes = planes_from_bgr(scene(*size), color, bit_depth=bit_depth)
    shown = small_bgr(planes, color, sample_aspect_ratio=SQUARE, rotation_deg=0, largest_side=1280)
    assert shown.shape == (size[1], size[0], 3)
    assert np.abs(shown / 255 - bgr_from_planes(planes, color)).max() < 3 / 255


def test_a_large_picture_is_shrunk_and_a_small_one_is_not_enlarged() -> None:
    planes = planes_from_bgr(scene(641, 359), LIMITED_601)
    shown = small_bgr(planes, LIMITED_601, sample_aspect_ratio=SQUARE, rotation_deg=0, largest_side=320)
    assert shown.shape == (179, 320, 3)
    exact = cv2.resize(bgr_from_planes(planes, LIMITED_601), (320, 179), interpolation=cv2.INTER_AREA)
    assert np.abs(shown / 255 - exact).max() < 4 / 255
    assert small_bgr(planes, LIMITED_601, sample_aspect_ratio=SQUARE, rotation_deg=0, largest_side=999).shape[1] == 641


@pytest.mark.parametrize(
    ("rotation_deg", "bright_corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))]
)
def test_pictures_are_turned_counter_clockwise(rotation_deg: int, bright_corner: tuple[int, int]) -> None:
    luma = np.full((32, 64), 60, np.uint8)
    luma[:8, :8] = 200
    planes = Planes(luma, np.full((2, 16, 32), 128, np.uint8))
    turned: list[npt.NDArray[np.generic]] = [
        small_bgr(planes, LIMITED_601, sample_aspect_ratio=SQUARE, rotation_deg=rotation_deg, largest_side=64),
        full_bgr(planes, LIMITED_601, sample_aspect_ratio=SQUARE, rotation_deg=rotation_deg),
    ]
    for shown in turned:
        assert shown.shape[:2] == ((32, 64) if rotation_deg % 180 == 0 else (64, 32))
        assert (
            np.argwhere(shown[..., 1] > shown[..., 1].mean())
            .tolist()
            .count([bright_corner[0] % shown.shape[0], bright_corner[1] % shown.shape[1]])
        )


@pytest.mark.parametrize(("ratio", "size"), [(Fraction(16, 11), (93, 48)), (Fraction(1, 2), (64, 96))])
def test_pixels_that_are_not_square_are_stretched(ratio: Fraction, size: tuple[int, int]) -> None:
    planes = flat(0.5)
    shown = small_bgr(planes, LIMITED_601, sample_aspect_ratio=ratio, rotation_deg=0, largest_side=1280)
    assert shown.shape == (size[1], size[0], 3)
    assert full_bgr(planes, LIMITED_601, sample_aspect_ratio=ratio, rotation_deg=0).shape == shown.shape


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color", [TAGS[0], TAGS[1]], ids=["limited", "full"])
def test_a_histogram_reaches_from_black_to_white(color: ColorTags, bit_depth: int) -> None:
    half = np.zeros((48, 64, 3), np.float32)
    half[:, 32:] = 1
    of_half = histogram(planes_from_bgr(half, color, bit_depth=bit_depth), color)
    assert len(of_half.bins) == BINS
    assert (of_half.bins[0], of_half.bins[-1]) == (0.5, 0.5)
    assert (of_half.black, of_half.white) == (0.5, 0.5)
    of_grey = histogram(flat(0.5, color=color, bit_depth=bit_depth), color)
    assert of_grey.bins[BINS // 2 - 1] + of_grey.bins[BINS // 2] == 1
    assert (of_grey.black, of_grey.white) == (0, 0)


def test_a_histogram_of_a_large_picture_counts_some_of_it() -> None:
    planes = flat(0.25, width=1920, height=1080)
    assert sum(histogram(planes, LIMITED_601).bins) == pytest.approx(1, abs=1e-3)
    assert sum(histogram(flat(0.25, width=1, height=1), LIMITED_601).bins) == pytest.approx(1)
