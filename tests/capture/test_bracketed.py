"""Exposure that looks after itself: what a camera is asked for, and what is found out about it."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from stages.bracket import BracketSettings
from stages.capture.bracketed import BracketedSource
from stages.capture.exposure.config import ExposureConfig
from stages.capture.exposure.limits import Limits, stops_of
from stages.capture.exposure.metering import read_meter, shift_between
from stages.capture.simulated import SimulatedCamera, SimulatedConfig, SimulatedSource
from stages.frame import BT709, ColorRange, ColorTags, Exposure, ExposurePair, Frame, Planes
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing

STILL = {"pan_deg_per_s": 0.0, "shake_deg": 0.0, "objects": 0}


@pytest.fixture
def config(room):
    """A camera that steers itself and tells nothing."""
    return SimulatedConfig(
        map=room, width=96, height=64, seconds=3.0, seed=5, frame_rate=30.0, exposure=ExposureConfig(), **STILL
    )


def film(config: SimulatedConfig) -> tuple[list[Frame], SimulatedSource]:
    """Every frame of a film, and the source it came from."""
    source = SimulatedSource(config)
    source.open()
    frames = list(iter(source.read, None))
    source.close()
    return frames, source


def shown_stops(frame: Frame) -> float:
    """The exposure a frame was found to be taken with."""
    assert frame.exposure is not None
    return stops_of(frame.exposure)


def truly_shown(config: SimulatedConfig) -> list[tuple[float, float]]:
    """(found, true) exposure in stops of every frame of a film, some of which are lost."""
    camera = SimulatedCamera(dataclasses.replace(config, metadata=True))
    source = BracketedSource(camera, config.exposure or ExposureConfig())
    told: list[Exposure | None] = []
    rng = np.random.default_rng(config.seed)

    def read() -> Frame:
        frame = SimulatedCamera.read(camera)
        while rng.random() < config.dropped_frames:
            frame = SimulatedCamera.read(camera)
        told.append(frame.exposure)
        return dataclasses.replace(frame, exposure=None)

    camera.read = read  # type: ignore[method-assign]
    source.open()
    pairs = []
    for _ in range(60):
        frame = source.read()
        assert frame is not None
        true = told[-1]
        assert true is not None
        pairs.append((shown_stops(frame), stops_of(true)))
    source.close()
    return pairs


# Finding out about the camera


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 6, 10])
def test_the_delay_of_the_camera_is_found_by_trying(config, delay):
    _, source = film(dataclasses.replace(config, control_delay_frames=delay))

    assert source.bracket.state.control_delay_frames == delay
    assert source.bracket.state.note == ""


@pytest.mark.parametrize("delay", [0, 3, 6])
def test_lost_frames_and_flicker_do_not_confuse_the_trial(config, delay):
    shaky = dataclasses.replace(config, control_delay_frames=delay, dropped_frames=0.05, flicker_depth=0.3)
    _, source = film(shaky)

    assert source.bracket.state.control_delay_frames == pytest.approx(delay, abs=1)


@pytest.mark.parametrize("lost", [0.0, 0.2])
@pytest.mark.parametrize("light", [(), ((1.5, -20.0),), ((1.5, 20.0),)], ids=["steady", "off", "glaring"])
def test_every_frame_is_matched_to_the_exposure_it_was_taken_with(config, light, lost):
    switched = dataclasses.replace(config, control_delay_frames=4, light_switches=light, dropped_frames=lost)
    for found, true in truly_shown(switched):
        assert found == pytest.approx(true, abs=1e-6)


@pytest.mark.parametrize("delay", [1, 4])
def test_pictures_that_come_late_are_not_taken_for_lost_ones_for_long(config, delay):
    camera = SimulatedCamera(dataclasses.replace(config, control_delay_frames=delay, metadata=True))
    source = BracketedSource(camera, ExposureConfig())
    late: list[Frame] = []
    told: list[Exposure | None] = []

    def read() -> Frame:
        """Three pictures at once now and then, as if the reader had been busy elsewhere."""
        if not late:
            late.extend(SimulatedCamera.read(camera) for _ in range(3 if len(told) % 25 == 24 else 1))
        frame = dataclasses.replace(late[0], pts=late[-1].pts)
        told.append(late.pop(0).exposure)
        return dataclasses.replace(frame, exposure=None)

    camera.read = read  # type: ignore[method-assign]
    source.open()
    right = [source.read().exposure == told[-1] for _ in range(150)]

    assert sum(right) >= 140


def test_a_camera_that_ignores_commands_is_left_alone_and_said_so(config):
    frames, source = film(dataclasses.replace(config, obeys=False))

    state = source.bracket.state
    assert "ignores exposure commands" in state.note
    assert (state.under, state.over, state.control_delay_frames, state.settled) == (None, None, None, False)
    assert len(frames) > 50
    assert {frame.exposure for frame in frames} == {None}


def test_a_camera_that_alternates_by_itself_is_never_commanded_when_configured_so(config):
    camera = SimulatedCamera(config)
    commands = []
    camera.set_exposure = lambda *asked: commands.append(asked)  # type: ignore[method-assign]
    source = BracketedSource(camera, ExposureConfig(alternate="never"))
    source.open()

    assert [source.read().index for _ in range(5)] == list(range(5))
    assert commands == []
    assert "by itself" in source.bracket.state.note


def test_a_covered_lens_is_no_disobedience(config):
    dark = dataclasses.replace(config, seconds=8.0, light_switches=((0.0, -20.0), (5.0, 20.0)))
    _, source = film(dark)

    assert source.bracket.state.note == ""
    assert source.bracket.state.settled


def test_a_camera_that_stops_obeying_is_noticed(config):
    camera = SimulatedCamera(dataclasses.replace(config, control_delay_frames=2))
    source = BracketedSource(camera, ExposureConfig())
    source.open()
    for _ in range(150):
        source.read()
    assert source.bracket.state.note == ""

    camera.set_exposure = lambda time_us, gain=1.0: Exposure(time_us, gain)  # type: ignore[method-assign]
    notes = [source.bracket.state.note for _ in range(150) if source.read()]

    assert any("trying" in note for note in notes)
    assert "ignores" in notes[-1]


# Choosing exposures


def test_frames_alternate_from_the_first_one_given_out(config):
    frames, _ = film(dataclasses.replace(config, control_delay_frames=3))

    assert [frame.index for frame in frames] == list(range(len(frames)))
    steps = [shown_stops(after) - shown_stops(before) for before, after in itertools.pairwise(frames)]
    assert all(first * second < 0 for first, second in itertools.pairwise(steps))


@pytest.mark.parametrize("stops", [-6.0, 0.0, 6.0])
def test_highlights_are_held_and_shadows_are_out_of_the_noise(config, stops):
    frames, source = film(dataclasses.replace(config, light_switches=((0.0, stops),)))
    under, over = sorted(frames[-2:], key=shown_stops)

    assert source.bracket.state.settled
    assert read_meter(under.planes, under.color).clipped_share < 0.01
    assert read_meter(over.planes, over.color).black_share < 0.05
    assert 2.0 <= shown_stops(over) - shown_stops(under) <= 5.0


@pytest.mark.parametrize("delay", [0, 6])
@pytest.mark.parametrize("stops", [-6.0, 6.0])
def test_switched_light_is_followed_within_two_seconds(config, stops, delay):
    switched = dataclasses.replace(
        config,
        seconds=6.0,
        control_delay_frames=delay,
        dropped_frames=0.05,
        light_switches=((0.0, 1.0 - stops / 2), (3.0, stops)),
    )
    frames, _ = film(switched)
    levels = {frame.pts: shown_stops(frame) for frame in frames}

    def bracket(start: int, end: int) -> tuple[float, float]:
        seen = [level for pts, level in levels.items() if start <= pts < end]
        return min(seen), max(seen)

    before, after, at_rest = bracket(80, 90), bracket(150, 160), bracket(170, 180)
    assert after == pytest.approx(at_rest, abs=0.5)
    assert [old - new for old, new in zip(before, at_rest, strict=True)] == pytest.approx([stops, stops], abs=0.7)


def test_exposures_rest_where_lamps_flicker(config):
    frames, _ = film(dataclasses.replace(config, seconds=5.0, flicker_depth=0.3))

    levels = sorted({round(shown_stops(frame), 2) for frame in frames[-60:]})
    assert len(levels) == 2


def test_exposure_time_comes_before_gain_and_in_whole_flashes_of_the_lamps():
    limits = Limits(min_time_us=10, max_time_us=40_000, max_gain=8, mains_hz=50)

    def asked(wanted_us: float) -> tuple[float, float]:
        exposure = limits.exposure(math.log2(wanted_us))
        return exposure.time_us, exposure.gain

    assert asked(5000) == pytest.approx((5000, 1))
    assert asked(20_000) == pytest.approx((20_000, 1))
    assert asked(25_000) == pytest.approx((20_000, 1.25))
    assert asked(80_000) == pytest.approx((40_000, 2))
    assert asked(1e9) == (40_000, 8)
    assert asked(1e-9) == (10, 1)


def test_without_gain_the_nearest_whole_flash_is_taken():
    limits = Limits(min_time_us=10, max_time_us=33_333, mains_hz=60)

    assert limits.exposure(math.log2(15_000)).time_us == pytest.approx(16_667, abs=1)
    assert limits.exposure(math.log2(10_000)).time_us == pytest.approx(8333, abs=1)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("delay", [0, 3, 6])
def test_lost_frames_and_flicker_leave_every_frame_paired_right(config, delay, told):
    shaky = dataclasses.replace(config, control_delay_frames=delay, dropped_frames=0.05, flicker_depth=0.3)
    frames, _ = film(shaky)
    middle = sum(map(shown_stops, frames)) / len(frames)
    is_under = [shown_stops(frame) < middle for frame in frames]

    pairing = BrightnessPairing(BrightnessConfig())
    seen = frames if told else [dataclasses.replace(frame, exposure=None) for frame in frames]
    pairs = [pair for frame in seen for pair in pairing.process(frame)] + list(pairing.flush())

    assert [pair.index for pair in pairs] == list(range(len(frames)))
    for pair in pairs:
        assert isinstance(pair, ExposurePair)
        assert pair.reference_is_under == is_under[pair.index] != is_under[pair.neighbour.index]


# A person's wishes


def test_stops_and_bias_can_be_changed_while_it_runs(config):
    source = SimulatedSource(dataclasses.replace(config, seconds=None))
    source.open()
    for _ in range(60):
        source.read()
    before = source.bracket.state

    source.bracket.request(BracketSettings(stops=4.0, bias_stops=-1.0))
    assert source.bracket.state.settings == BracketSettings(stops=4.0, bias_stops=-1.0)
    for _ in range(60):
        source.read()
    after = source.bracket.state
    source.close()

    middle = [(stops_of(state.under) + stops_of(state.over)) / 2 for state in (before, after)]
    assert stops_of(after.over) - stops_of(after.under) == pytest.approx(4.0, abs=0.2)
    assert middle[1] - middle[0] == pytest.approx(-1.0, abs=0.5)


def test_without_auto_the_middle_is_held_whatever_the_light_does(config):
    held = ExposureConfig(auto=False, stops=3.0)
    frames, _ = film(dataclasses.replace(config, exposure=held, light_switches=((1.5, 2.0),)))

    pairs = [(shown_stops(first) + shown_stops(second)) / 2 for first, second in itertools.pairwise(frames)]
    assert max(pairs) - min(pairs) < 0.1


@pytest.mark.parametrize("settings", [{"stops": 0.2}, {"stops": 12.0}, {"bias_stops": 9.0}, {"bias_stops": math.nan}])
def test_wishes_out_of_range_are_refused_with_the_limits(config, settings):
    source = SimulatedSource(config)

    with pytest.raises(ValueError, match=r"must lie between .* got"):
        source.bracket.request(BracketSettings(**settings))
    with pytest.raises(ValueError, match=r"must lie between .* got"):
        ExposureConfig(**settings)


@pytest.mark.parametrize("settings", [{"min_stops": 5.5}, {"max_stops": 20.0}, {"max_gain": 0.5}])
def test_impossible_limits_are_refused(settings):
    with pytest.raises(ValueError, match=f"got .*{next(iter(settings.values()))}"):
        ExposureConfig(**settings)


# The simulated camera


def test_without_exposure_control_the_simulated_camera_cannot_be_steered(config):
    assert SimulatedSource(dataclasses.replace(config, exposure=None)).bracket is None


@pytest.mark.parametrize("switch", [(-1.0, 2.0), (1.0, 40.0), (1.0, math.nan)])
def test_impossible_light_switches_are_refused(config, switch):
    with pytest.raises(ValueError, match="light_switches must be"):
        dataclasses.replace(config, light_switches=(switch,))


def test_switched_light_is_part_of_the_truth(config):
    camera = SimulatedCamera(dataclasses.replace(config, exposure=None, noise=0, light_switches=((1.0, -2.0),)))
    camera.open()

    before, after = camera.truth(29), camera.truth(30)
    response = config.sensor().response
    ratio = np.median(response.decode(before.under)) / np.median(response.decode(after.under))
    assert ratio == pytest.approx(4.0, rel=0.02)


# The meter


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color", [BT709, ColorTags(range=ColorRange.FULL)])
def test_the_meter_reads_any_range_and_depth(bit_depth, color):
    black, white = (16, 235) if color is BT709 else (0, 255)
    scale = 1 << (bit_depth - 8)
    luma = np.full((40, 40), white * scale, np.uint8 if bit_depth == 8 else np.uint16)
    luma[:10] = black * scale
    reading = read_meter(Planes(luma, np.full((2, 20, 20), 128 * scale, luma.dtype), bit_depth), color)

    assert reading.black_share == pytest.approx(0.25)
    assert reading.clipped_share == pytest.approx(0.75)
    assert reading.level(1.0) == pytest.approx(0.0, abs=0.02)


def test_a_shift_is_measured_in_stops_and_bounded_where_it_cannot_be(config):
    camera = SimulatedCamera(config)
    camera.open()

    def reading(stops: float):
        camera.set_exposure(2000 * 2.0**stops)
        frame = camera.read()
        return read_meter(frame.planes, frame.color)

    assert shift_between(reading(0), reading(2)).stops == pytest.approx(2.0, abs=0.2)
    black = shift_between(reading(-12), reading(1))
    assert not black.is_exact
    assert black.stops > 1
