"""What fusion may rely on after alignment: one pixel grid, one instant, no ghosts."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.none import NoAlignment, NoAlignmentConfig
from stages.frame import AlignedPair, ColorRange, ColorTags, ExposurePair, Planes, StreamInfo
from tests.alignment.scenes import (
    Radiance,
    pair_of,
    photograph,
    psnr_db,
    textured_radiance,
    window,
)

HEIGHT, WIDTH = 200, 320
STOPS = 3.0
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=3)
FULL_RANGE = ColorTags(matrix=1, range=ColorRange.FULL, primaries=1, transfer=1)


def align(pair: ExposurePair, config: FlowConfig | None = None) -> AlignedPair:
    (aligned,) = FlowAlignment(config or FlowConfig()).process(pair)
    assert isinstance(aligned, AlignedPair)
    return aligned


def expose(radiance: Radiance, *, under: bool, noise: float = 0.004, seed: int = 0) -> Planes:
    return photograph(radiance, stops=0 if under else STOPS, noise=noise, seed=seed)


def moved_neighbour(aligned: AlignedPair) -> Planes:
    return aligned.over if aligned.pair.reference_is_under else aligned.under


def with_disc(radiance: Radiance, x: float, y: float) -> Radiance:
    """A dark disc with a bright stripe in front of the scene."""
    picture = radiance.copy()
    cv2.circle(picture, (round(x), round(y)), 24, (0.01, 0.012, 0.02), -1, cv2.LINE_AA)
    cv2.line(picture, (round(x) - 12, round(y)), (round(x) + 12, round(y)), (0.2, 0.1, 0.05), 5, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize("reference_is_under", [True, False])
@pytest.mark.parametrize(("dx", "dy"), [(3.4, -1.7), (-22.0, 9.0)])
def test_a_moved_camera_is_compensated_across_three_stops(reference_is_under: bool, dx: float, dy: float) -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=dx, dy=dy)
    neighbour = expose(there, under=not reference_is_under, seed=1)
    aligned = align(
        pair_of(expose(here, under=reference_is_under, seed=2), neighbour, reference_is_under=reference_is_under)
    )
    truth = expose(here, under=not reference_is_under, noise=0)
    moved = psnr_db(moved_neighbour(aligned), truth, border=24)
    assert moved > 42
    assert moved > psnr_db(neighbour, truth) + 15
    assert aligned.confidence[24:-24, 24:-24].mean() > 0.9


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_what_the_neighbour_does_not_show_is_not_trusted(reference_is_under: bool) -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=30, dy=0)
    aligned = align(
        pair_of(
            expose(here, under=reference_is_under),
            expose(there, under=not reference_is_under),
            reference_is_under=reference_is_under,
        )
    )
    assert aligned.confidence[:, :26].max() < 0.1
    assert aligned.confidence[:, 40:].mean() > 0.9


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_a_still_noisy_scene_is_left_alone(reference_is_under: bool) -> None:
    scene = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    neighbour = expose(scene, under=not reference_is_under, noise=0.02, seed=1)
    reference = expose(scene, under=reference_is_under, noise=0.02, seed=2)
    aligned = align(pair_of(reference, neighbour, reference_is_under=reference_is_under))
    untouched = moved_neighbour(aligned).luma == neighbour.luma
    assert aligned.confidence.mean() > 0.98
    assert untouched.mean() > 0.95


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_a_moving_object_leaves_no_ghost(reference_is_under: bool) -> None:
    background = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    here, there = with_disc(background, 150, 100), with_disc(background, 190, 96)
    reference = expose(here, under=reference_is_under, seed=2)
    neighbour = expose(there, under=not reference_is_under, seed=1)
    aligned = align(pair_of(reference, neighbour, reference_is_under=reference_is_under))
    truth = expose(here, under=not reference_is_under, noise=0)
    around = np.s_[66:136, 116:226]
    before = np.abs(neighbour.luma[around].astype(int) - truth.luma[around]).mean()
    after = np.abs(moved_neighbour(aligned).luma[around].astype(int) - truth.luma[around]).mean()
    assert after < before / 4
    assert aligned.confidence[:40].mean() > 0.95


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_an_unrelated_neighbour_is_replaced_by_the_reference(reference_is_under: bool) -> None:
    here = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0)
    other = window(textured_radiance(HEIGHT + 128, WIDTH + 128, seed=77), HEIGHT, WIDTH, dx=0, dy=0)
    reference = expose(here, under=reference_is_under)
    neighbour = expose(other, under=not reference_is_under)
    aligned = align(pair_of(reference, neighbour, reference_is_under=reference_is_under))
    replaced = moved_neighbour(aligned).luma.ravel()
    assert aligned.confidence.max() < 0.1
    assert np.corrcoef(replaced, reference.luma.ravel())[0, 1] > 0.85
    assert abs(np.corrcoef(replaced, neighbour.luma.ravel())[0, 1]) < 0.3


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_the_reference_passes_bit_exact(reference_is_under: bool) -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=5, dy=2)
    reference = expose(here, under=reference_is_under)
    luma, chroma = reference.luma.copy(), reference.chroma.copy()
    pair = pair_of(reference, expose(there, under=not reference_is_under), reference_is_under=reference_is_under)
    aligned = align(pair)
    kept = aligned.under if reference_is_under else aligned.over
    assert aligned.pair is pair
    assert np.array_equal(kept.luma, luma)
    assert np.array_equal(kept.chroma, chroma)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color", [ColorTags(), FULL_RANGE], ids=["limited", "full"])
@pytest.mark.parametrize(("height", "width"), [(2, 6), (16, 16), (17, 33), (135, 241), (20, 1000)])
def test_every_size_depth_and_range_comes_out_as_it_came_in(
    height: int, width: int, color: ColorTags, bit_depth: int
) -> None:
    canvas = textured_radiance(height + 64, width + 64, seed=5)
    here, there = window(canvas, height, width, dx=0, dy=0), window(canvas, height, width, dx=1.5, dy=1)
    under = photograph(here, stops=0, bit_depth=bit_depth, color=color)
    over = photograph(there, stops=STOPS, bit_depth=bit_depth, color=color)
    for reference_is_under in (True, False):
        reference, neighbour = (under, over) if reference_is_under else (over, under)
        aligned = align(pair_of(reference, neighbour, reference_is_under=reference_is_under, color=color))
        moved = moved_neighbour(aligned)
        assert (moved.height, moved.width, moved.bit_depth) == (height, width, bit_depth)
        assert moved.luma.max() <= moved.max_value
        assert aligned.confidence.dtype == np.float32
        assert 0 <= aligned.confidence.min() <= aligned.confidence.max() <= 1
        assert max(aligned.confidence.shape) <= FlowConfig().working_long_side_px


@pytest.mark.parametrize(("under_value", "over_value"), [(16, 16), (16, 235), (90, 235), (235, 235)])
def test_a_featureless_pair_passes(under_value: int, over_value: int) -> None:
    under, over = (
        Planes(np.full((90, 160), value, np.uint8), np.full((2, 45, 80), 128, np.uint8))
        for value in (under_value, over_value)
    )
    aligned = align(pair_of(under, over, reference_is_under=True))
    assert np.array_equal(aligned.over.luma, over.luma)
    assert aligned.confidence.min() == 1


def test_the_same_pair_gives_the_same_result_whatever_came_before() -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=4, dy=1)
    pair = pair_of(expose(here, under=True), expose(there, under=False), reference_is_under=True)
    cut = pair_of(expose(there[::-1].copy(), under=True), expose(here, under=False), reference_is_under=True)
    stage = FlowAlignment(FlowConfig())
    (first,), _, (again,) = (list(stage.process(item)) for item in (pair, cut, pair))
    assert isinstance(first, AlignedPair)
    assert isinstance(again, AlignedPair)
    assert np.array_equal(first.over.luma, again.over.luma)
    assert np.array_equal(first.over.chroma, again.over.chroma)
    assert np.array_equal(first.confidence, again.confidence)


def test_motion_is_found_at_the_working_size_and_applied_at_full_size() -> None:
    here, there = window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0), window(CANVAS, HEIGHT, WIDTH, dx=6, dy=-3)
    pair = pair_of(expose(here, under=True), expose(there, under=False), reference_is_under=True)
    aligned = align(pair, FlowConfig(working_long_side_px=160))
    assert aligned.confidence.shape == (100, 160)
    assert psnr_db(aligned.over, expose(here, under=False, noise=0), border=16) > 30


def test_no_alignment_passes_both_frames_and_trusts_them() -> None:
    scene = window(CANVAS, 50, 70, dx=0, dy=0)
    under, over = expose(scene, under=True), expose(scene, under=False)
    (aligned,) = NoAlignment(NoAlignmentConfig()).process(pair_of(over, under, reference_is_under=False))
    assert isinstance(aligned, AlignedPair)
    assert aligned.under is under
    assert aligned.over is over
    assert aligned.confidence.min() == 1


@pytest.mark.parametrize("stage", [FlowAlignment(FlowConfig()), NoAlignment(NoAlignmentConfig())])
def test_the_stream_is_described_unchanged(stage: FlowAlignment | NoAlignment) -> None:
    info = StreamInfo(width=640, height=360, bit_depth=8, time_base=Fraction(1, 25))
    assert stage.open(info) == info
    assert list(stage.flush()) == []
    stage.close()


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="working_long_side_px must be at least 64, got 8"):
        FlowConfig(working_long_side_px=8)
    with pytest.raises(ValidationError, match="workng_size"):
        TypeAdapter(FlowConfig).validate_python({"kind": "flow", "workng_size": 640})
