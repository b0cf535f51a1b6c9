"""What whoever watches the video may rely on: no pulsing, nothing of what is gone, every frame once."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from stages.alignment.crew import Crew
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.grain import Grain, steady
from stages.frame import AlignedPair, ExposurePair, Planes
from tests.alignment.scenes import Radiance, frame, photograph, psnr_db, textured_radiance, window

HEIGHT, WIDTH = 120, 192
STOPS = 3.0
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=3)
OTHER = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=77)
BOTH = [FlowConfig(mode="causal"), FlowConfig(mode="lookahead")]

modes = pytest.mark.parametrize("config", BOTH, ids=lambda config: config.mode)


def seen(canvas: Radiance, *, dx: float = 0.0) -> Radiance:
    return window(canvas, HEIGHT, WIDTH, dx=dx, dy=0)


def exposed(radiance: Radiance, index: int, *, noise: float = 0.01, bit_depth: int = 8) -> Planes:
    """A frame of the clip: even ones are under."""
    return photograph(radiance, stops=STOPS * (index % 2), noise=noise, seed=index, bit_depth=bit_depth)


def pair(pictures: list[Planes], index: int, neighbour: int) -> ExposurePair:
    reference, other = frame(pictures[index], index=index), frame(pictures[neighbour], index=neighbour)
    return ExposurePair(reference, other, reference_is_under=index % 2 == 0, ratio_stops=STOPS)


def pairs_of(pictures: list[Planes]) -> list[ExposurePair]:
    """As pairing makes them: the first frame with its successor, each later one with its predecessor."""
    return [pair(pictures, index, index - 1 if index else 1) for index in range(len(pictures))]


def align(pairs: list[ExposurePair], config: FlowConfig) -> list[AlignedPair]:
    stage = FlowAlignment(config)
    items = [item for each in pairs for item in stage.process(each)] + list(stage.flush())
    stage.close()
    return [item for item in items if isinstance(item, AlignedPair)]


@modes
def test_a_scene_that_stands_still_gives_a_picture_that_stands_still(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index) for index in range(10)]
    aligned = align(pairs_of(pictures), config)[4:]
    for which, raw in (("under", pictures[4::2]), ("over", pictures[5::2])):
        shown = [getattr(item, which).luma.astype(float) for item in aligned]
        change = np.mean([np.abs(shown[t] - (shown[t - 1] + shown[t + 1]) / 2).mean() for t in range(1, 5)])
        noise = np.abs(raw[0].luma.astype(float) - raw[1].luma).mean()
        assert change < 0.4 * noise


@modes
def test_two_noisy_frames_of_one_scene_hold_less_noise_than_either(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index, noise=0.02) for index in range(8)]
    last = align(pairs_of(pictures), config)[-1]
    truth = exposed(seen(CANVAS), 7, noise=0)
    assert psnr_db(last.over, truth) > psnr_db(pictures[7], truth) + 2


@modes
def test_a_noise_free_still_scene_passes_as_it_is(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index, noise=0) for index in range(4)]
    for item in align(pairs_of(pictures), config):
        assert np.abs(item.under.luma.astype(int) - pictures[0].luma).mean() < 0.05
        assert np.abs(item.over.luma.astype(int) - pictures[1].luma).mean() < 0.05


@modes
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_frame_comes_once_and_in_order(config: FlowConfig, count: int) -> None:
    pictures = [exposed(seen(CANVAS, dx=2.0 * index), index) for index in range(max(2, count))]
    pairs = pairs_of(pictures)[:count]
    aligned = align(pairs, config)
    assert [item.index for item in aligned] == list(range(count))
    assert all(item.pair is given for item, given in zip(aligned, pairs, strict=True))


def test_looking_ahead_costs_one_frame_and_the_past_alone_none() -> None:
    pairs = pairs_of([exposed(seen(CANVAS), index) for index in range(3)])
    counts = []
    for config in BOTH:
        stage = FlowAlignment(config)
        counts.append([len(list(stage.process(each))) for each in pairs] + [len(list(stage.flush()))])
    assert counts == [[1, 1, 1, 0], [0, 1, 1, 1]]


def test_a_stream_given_up_leaves_nothing_behind() -> None:
    pairs = pairs_of([exposed(seen(CANVAS), index) for index in range(2)])
    stage = FlowAlignment(BOTH[1])
    list(stage.process(pairs[0]))
    last = weakref.ref(pairs[0].reference.planes.luma)
    stage.close()
    del pairs
    assert list(stage.flush()) == []
    assert last() is None


@modes
def test_frames_that_must_not_be_written_to_are_as_good_as_others(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS, dx=2.0 * index), index) for index in range(4)]
    expected = align(pairs_of(pictures), config)
    for planes in pictures:
        planes.luma.flags.writeable = planes.chroma.flags.writeable = False
    for item, wanted in zip(align(pairs_of(pictures), config), expected, strict=True):
        assert np.array_equal(item.under.luma, wanted.under.luma)
        assert np.array_equal(item.over.luma, wanted.over.luma)


def test_what_comes_into_view_is_taken_from_the_frame_after() -> None:
    pictures = [exposed(seen(CANVAS, dx=-14.0 * index), index) for index in range(4)]
    past, both = (align(pairs_of(pictures), config)[2] for config in BOTH)
    truth = exposed(seen(CANVAS, dx=-28.0), 3, noise=0)
    entering = np.s_[8:-8, 4:12]
    errors = [np.abs(item.over.luma[entering].astype(int) - truth.luma[entering]).mean() for item in (past, both)]
    assert errors[1] < errors[0]
    assert past.confidence[entering].mean() < 0.2
    assert both.confidence[entering].mean() > 0.5


@modes
def test_nothing_of_the_old_scene_is_left_after_a_cut(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index) for index in range(4)]
    pictures += [exposed(seen(OTHER), index) for index in range(4, 7)]
    after = [pair(pictures, 4, 5), pair(pictures, 5, 4), pair(pictures, 6, 5)]
    with_past, fresh = align(pairs_of(pictures[:4]) + after, config), align(after, config)
    for item, alone in zip(with_past[4:], fresh, strict=True):
        assert np.array_equal(item.under.luma, alone.under.luma)
        assert np.array_equal(item.over.luma, alone.over.luma)
    before_cut, without_cut = with_past[:4], align(pairs_of(pictures[:4]), config)
    for item, alone in zip(before_cut, without_cut, strict=True):
        assert np.array_equal(item.over.luma, alone.over.luma)


@modes
def test_a_cut_that_nobody_noticed_costs_one_frame_without_ghosts(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index) for index in range(4)]
    pictures += [exposed(seen(OTHER), index) for index in range(4, 7)]
    aligned = align(pairs_of(pictures), config)
    for index in (4, 5, 6):
        shown = aligned[index].under if index % 2 == 0 else aligned[index].over
        assert np.abs(shown.luma.astype(int) - pictures[index].luma).mean() < 1.5
        truth = exposed(seen(OTHER), 1 - index % 2, noise=0)
        other = aligned[index].over if index % 2 == 0 else aligned[index].under
        assert np.corrcoef(other.luma.ravel(), truth.luma.ravel())[0, 1] > 0.8


@modes
def test_another_size_or_depth_starts_afresh(config: FlowConfig) -> None:
    small = [exposed(seen(CANVAS)[:60, :96], index) for index in range(4)]
    deep = [exposed(seen(CANVAS), index, bit_depth=10) for index in range(4)]
    first = [exposed(seen(CANVAS), index) for index in range(4)]
    pairs = [
        *pairs_of(first)[:2],
        *(pair(small, index, 5 - index) for index in (2, 3)),
        *pairs_of(deep)[1:],
    ]
    aligned = align(pairs, config)
    assert [(item.over.height, item.over.bit_depth) for item in aligned] == [(120, 8)] * 2 + [(60, 8)] * 2 + [
        (120, 10)
    ] * 3


@modes
def test_a_gap_in_the_stream_starts_afresh(config: FlowConfig) -> None:
    pictures = [exposed(seen(CANVAS), index) for index in range(8)]
    after = [pair(pictures, index, index - 1) for index in (6, 7)]
    with_past = align(pairs_of(pictures[:4]) + after, config)[4:]
    for item, alone in zip(with_past, align(after, config), strict=True):
        assert np.array_equal(item.over.luma, alone.over.luma)


def errors_db(aligned: AlignedPair, under: Planes, over: Planes) -> tuple[float, float]:
    """PSNR of both exposures against the truth, away from where the camera brings in what was never seen."""
    return psnr_db(aligned.under, under, border=12), psnr_db(aligned.over, over, border=12)


@modes
def test_a_dropped_frame_leaves_those_after_it_as_good_as_before(config: FlowConfig) -> None:
    scenes = [seen(CANVAS, dx=2.0 * index) for index in range(10)]
    pictures = [exposed(scene, index) for index, scene in enumerate(scenes)]
    pairs = [*pairs_of(pictures[:5]), pair(pictures, 6, 3), *pairs_of(pictures)[7:]]
    for item in align(pairs, config)[5:]:
        truth = [exposed(scenes[item.index], which, noise=0) for which in (0, 1)]
        assert min(errors_db(item, truth[0], truth[1])) > 28


@modes
def test_a_jump_of_the_exposure_costs_one_frame_at_most(config: FlowConfig) -> None:
    def shot(index: int, noise: float) -> Planes:
        stops = STOPS * (index % 2) - (1.0 if index >= 5 else 0.0)
        return photograph(seen(CANVAS), stops=stops, noise=noise, seed=index)

    pictures = [shot(index, 0.01) for index in range(10)]
    aligned = align(pairs_of(pictures), config)
    for item in (*aligned[:4], *aligned[6:]):
        later = 6 if item.index >= 5 else 0
        assert min(errors_db(item, shot(later, 0.0), shot(later + 1, 0.0))) > 32
    for item in aligned:
        own = item.under if item.pair.reference_is_under else item.over
        assert psnr_db(own, pictures[item.index]) > 32


@modes
def test_a_camera_covered_and_uncovered_shows_neither_too_long(config: FlowConfig) -> None:
    nothing = np.full_like(seen(CANVAS), 1e-4)
    covered = range(4, 8)
    scenes = [nothing if index in covered else seen(CANVAS) for index in range(12)]
    pictures = [exposed(scene, index, noise=0.004) for index, scene in enumerate(scenes)]
    aligned = align(pairs_of(pictures), config)
    for item in aligned:
        own = item.under if item.pair.reference_is_under else item.over
        assert psnr_db(own, pictures[item.index]) > 32
        if item.index not in (3, 4, 7, 8):
            truth = [exposed(scenes[item.index], which, noise=0) for which in (0, 1)]
            assert min(errors_db(item, truth[0], truth[1])) > 30
    scene = exposed(seen(CANVAS), 1, noise=0).luma.ravel()
    shown = aligned[4].over.luma.ravel().astype(float)
    assert shown.std() < 1 or abs(np.corrcoef(shown, scene)[0, 1]) < 0.2


@modes
def test_an_exposure_that_trembles_gives_a_picture_that_does_not(config: FlowConfig) -> None:
    tremor = np.random.default_rng(2).normal(0, 0.1, 24)
    pictures = [
        photograph(seen(CANVAS, dx=index), stops=STOPS * (index % 2) + tremor[index], noise=0.004, seed=index)
        for index in range(24)
    ]
    aligned = align(pairs_of(pictures), config)

    def unrest(brightness: list[float]) -> float:
        return float(np.abs(np.diff(brightness[8:], 2)).mean())

    for own, which in ((pictures[::2], "under"), (pictures[1::2], "over")):
        steadied = [float(getattr(item, which).luma.mean()) for item in aligned[(which == "over") :: 2]]
        assert unrest(steadied) < 0.5 * unrest([float(planes.luma.mean()) for planes in own])


@modes
def test_nothing_trails_behind_what_moves(config: FlowConfig) -> None:
    def scene(index: int) -> Radiance:
        picture = seen(CANVAS).copy()
        picture[40:80, 20 + 12 * index : 50 + 12 * index] = 0.004
        return picture

    pictures = [exposed(scene(index), index, noise=0.004) for index in range(8)]
    aligned = align(pairs_of(pictures), config)
    for index in range(4, 8):
        shown = aligned[index].under if index % 2 == 0 else aligned[index].over
        assert np.abs(shown.luma.astype(int) - pictures[index].luma).max() <= 12


def test_grain_is_measured_where_there_is_texture_too() -> None:
    scene = seen(CANVAS)
    grains = [Grain.of(exposed(scene, 1, noise=noise).luma, 8).mean for noise in (0.0, 0.01, 0.04)]
    assert grains[0] < grains[1] < grains[2]


def test_a_remembered_thing_changes_a_frame_by_no_more_than_noise() -> None:
    here = exposed(seen(CANVAS), 1, noise=0.01)
    there = exposed(seen(OTHER), 1, noise=0.01)
    drawn = steady(here, there, np.ones((HEIGHT, WIDTH), np.float32), Grain.of(here.luma, 8), Crew())
    assert psnr_db(drawn, here) > 30


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be causal or lookahead, got 'both'"):
        FlowConfig(mode="both")  # type: ignore[arg-type]
