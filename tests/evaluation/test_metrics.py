"""The metrics against known values and properties that their definitions give them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipeline.evaluation.metrics.color import color_fidelity, expected_chroma, lab
from pipeline.evaluation.metrics.detail import average_gradient, entropy_bits
from pipeline.evaluation.metrics.edges import q_abf
from pipeline.evaluation.metrics.information import viff, visual_information
from pipeline.evaluation.metrics.judge import METRICS, Judge
from pipeline.evaluation.metrics.tones import clipped_share, tone_reversal
from pipeline.evaluation.picture import luma_of
from stages.errors import SourceError
from tests.evaluation.scenes import exposed

UNDER, OVER = exposed(-2), exposed(1.5)
LUMAS = luma_of(UNDER), luma_of(OVER)
AVERAGE = luma_of(np.asarray((UNDER.astype(np.uint16) + OVER) // 2, np.uint8))


def flat(value: int, shape: tuple[int, int] = (64, 64)) -> npt.NDArray[np.uint8]:
    return np.full(shape, value, np.uint8)


def steps(*columns: int) -> npt.NDArray[np.uint8]:
    """Three rows of these values."""
    return np.array([columns] * 3, np.uint8)


def preservation(strength: float, orientation: float) -> float:
    """Xydeas and Petrovic's equations, written once more."""
    of_strength = 0.9994 / (1 + math.exp(-15 * (strength - 0.5)))
    return of_strength * 0.9879 / (1 + math.exp(-22 * (orientation - 0.8)))


# Q^AB/F


def test_q_abf_of_a_step_that_kept_half_its_height() -> None:
    # One pixel with a whole neighbourhood; the flat source has no edge and no say.
    assert q_abf(steps(0, 50, 100), flat(80, (3, 3)), steps(0, 25, 50)) == pytest.approx(preservation(0.5, 1))


def test_q_abf_of_an_edge_that_was_turned_by_a_right_angle() -> None:
    turned = np.ascontiguousarray(steps(0, 50, 100).T)
    assert q_abf(steps(0, 50, 100), flat(80, (3, 3)), turned) == pytest.approx(preservation(1, 0))


def test_q_abf_weighs_sources_by_the_strength_of_their_edges() -> None:
    strong, weak = steps(0, 60, 120), steps(0, 20, 40)
    expected = (3 * preservation(1 / 3, 1) + preservation(1, 1)) / 4
    assert q_abf(strong, weak, weak) == pytest.approx(expected)
    assert q_abf(weak, strong, weak) == pytest.approx(expected)


def test_q_abf_of_a_picture_with_itself_is_the_best_there_is() -> None:
    assert q_abf(LUMAS[1], LUMAS[1], LUMAS[1]) == pytest.approx(preservation(1, 1))
    assert preservation(1, 1) == pytest.approx(0.9748, abs=1e-4)


def test_q_abf_does_not_mind_which_source_is_first_and_which_way_the_picture_is_turned() -> None:
    value = q_abf(*LUMAS, AVERAGE)
    assert q_abf(LUMAS[1], LUMAS[0], AVERAGE) == pytest.approx(value)
    turned = [np.ascontiguousarray(luma[::-1, ::-1]) for luma in (*LUMAS, AVERAGE)]
    assert q_abf(*turned) == pytest.approx(value)


def test_q_abf_of_what_has_no_edges_is_nothing() -> None:
    assert q_abf(flat(9), flat(200), flat(100)) == 0
    assert q_abf(*LUMAS, flat(100, LUMAS[0].shape)) < 0.001


# VIFF


def test_the_vif_inside_viff_is_that_of_torchmetrics() -> None:
    image = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    source, fused = (luma.astype(np.float32) for luma in (LUMAS[1], AVERAGE))
    scales = visual_information(source, fused, noise_variance=2.0)
    ours = sum(float(scale.preserved.sum()) for scale in scales) / sum(float(scale.present.sum()) for scale in scales)
    preds, target = (torch.from_numpy(luma).double()[None, None] for luma in (fused, source))
    assert ours == pytest.approx(float(image.visual_information_fidelity(preds, target)), rel=1e-3)


def test_viff_of_a_picture_with_itself_is_one_and_rises_with_contrast() -> None:
    lightness, _ = lab(OVER)
    assert viff(lightness, lightness, lightness) == pytest.approx(1, abs=1e-3)
    middle = lightness.mean()
    assert viff(lightness, lightness, middle + 0.5 * (lightness - middle)) < 0.8
    assert viff(lightness, lightness, middle + np.float32(1.5) * (lightness - middle)) > 1.1


def test_viff_of_a_grey_card_is_nothing() -> None:
    under, over = (lab(picture)[0] for picture in (UNDER, OVER))
    assert viff(under, over, np.full_like(under, 50)) == pytest.approx(0, abs=1e-3)


# Entropy, gradient


def test_entropy_counts_bits() -> None:
    assert entropy_bits(flat(7)) == 0
    assert entropy_bits(np.arange(256, dtype=np.uint8)[None]) == pytest.approx(8)
    assert entropy_bits(np.array([[0, 255, 255, 0]], np.uint8)) == pytest.approx(1)


def test_average_gradient_of_ramps() -> None:
    across = np.tile(np.arange(0, 160, 4, dtype=np.uint8), (10, 1))
    assert average_gradient(across) == pytest.approx(4 / math.sqrt(2))
    diagonal = np.add.outer(np.arange(0, 90, 3), np.arange(0, 120, 4)).astype(np.uint8)
    assert average_gradient(diagonal) == pytest.approx(5 / math.sqrt(2))


# Tones


def test_clipped_is_at_most_3_or_at_least_252() -> None:
    assert clipped_share(np.array([[0, 3, 4, 128, 251, 252, 255, 100]], np.uint8)) == 0.5


def test_tone_reversal_is_nothing_for_the_average_and_everything_for_the_negative() -> None:
    assert tone_reversal(*LUMAS, AVERAGE) == pytest.approx(0, abs=1e-4)
    assert tone_reversal(*LUMAS, 255 - AVERAGE) == pytest.approx(1, abs=1e-4)


def test_tone_reversal_is_the_energy_that_points_the_wrong_way() -> None:
    rise = np.linspace(0, 200, 400)
    ramp = np.tile(rise, (400, 1)).astype(np.uint8)
    mountain = np.tile(np.where(rise < 150, rise, 300 - rise), (400, 1)).astype(np.uint8)
    # A quarter of the way leads down, less what the blur takes off the top and at the edge of the picture.
    assert tone_reversal(ramp, ramp, mountain) == pytest.approx(0.25, abs=0.05)


def test_tone_reversal_hardly_depends_on_the_size() -> None:
    small = [np.asarray(luma, np.uint8) for luma in (*LUMAS, np.roll(LUMAS[1], 20, axis=1))]
    large = [np.kron(luma, np.ones((12, 12), np.uint8)) for luma in small]
    assert tone_reversal(*large) == pytest.approx(tone_reversal(*small), abs=0.01)


# Colour


def test_expected_chroma_is_that_of_the_better_exposed_source() -> None:
    grey, red = np.full((4, 4, 3), 128, np.uint8), np.full((4, 4, 3), 128, np.uint8)
    red[..., 2] = 255
    (_, of_grey), (_, of_red) = lab(grey), lab(red)
    both = (of_grey, of_red)
    assert np.allclose(expected_chroma(both, (flat(128, (4, 4)), flat(128, (4, 4)))), (of_grey + of_red) / 2)
    of_black = math.exp(-(0.5**2) / 0.08)
    share = of_black / (of_black + math.exp(-((128 / 255 - 0.5) ** 2) / 0.08))
    assert np.allclose(expected_chroma(both, (flat(0, (4, 4)), flat(128, (4, 4)))), (1 - share) * of_red, atol=1e-3)


def test_color_fidelity_tells_hue_from_saturation() -> None:
    expected = np.zeros((8, 8, 2), np.float32)
    expected[..., 0] = 20
    faded = color_fidelity(expected * np.float32(0.5), expected)
    assert (faded.chroma_distance, faded.hue_distance, faded.saturation) == pytest.approx((10, 0, 0.5))
    turned = color_fidelity(np.ascontiguousarray(expected[..., ::-1]), expected)
    distance = 20 * math.sqrt(2)
    assert (turned.chroma_distance, turned.hue_distance, turned.saturation) == pytest.approx((distance, distance, 1))


def test_lab_of_srgb_red() -> None:
    lightness, chroma = lab(np.array([[[0, 0, 255]]], np.uint8))
    assert [float(lightness[0, 0]), *chroma[0, 0].tolist()] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


# All together


def test_a_picture_fused_with_itself_is_perfect() -> None:
    scores = Judge(OVER, OVER).scores(OVER)
    assert list(scores) == list(METRICS)
    assert scores["mef_ssim"] == pytest.approx(1, abs=1e-3)
    assert scores["viff"] == pytest.approx(1, abs=1e-3)
    assert [scores[key] for key in ("tone_reversal", "chroma_distance", "hue_distance")] == pytest.approx([0, 0, 0])
    assert scores["saturation"] == pytest.approx(1)


def test_pictures_too_small_to_judge_are_refused() -> None:
    with pytest.raises(SourceError, match="40x72"):
        Judge(UNDER[:, :40], OVER[:, :40])
