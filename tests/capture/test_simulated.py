"""The simulated camera: a real camera's manners, and the truth behind its frames."""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest

from stages.capture.camera import Camera
from stages.capture.exposure.config import ExposureConfig
from stages.capture.motion import CameraPath
from stages.capture.panorama import View
from stages.capture.simulated import SimulatedCamera, SimulatedConfig, SimulatedSource
from stages.color import bgr_from_planes
from stages.errors import SourceError
from stages.frame import BT709, Exposure, Frame


@pytest.fixture
def config(room):
    return SimulatedConfig(map=room, width=96, height=64, seconds=0.4, seed=3)


def film(config: SimulatedConfig) -> list[Frame]:
    """Every frame of a clip."""
    source = SimulatedSource(config)
    source.open()
    frames = list(iter(source.read, None))
    source.close()
    return frames


def opened(config: SimulatedConfig) -> SimulatedCamera:
    """A camera that is ready."""
    camera = SimulatedCamera(config)
    camera.open()
    return camera


def is_under(frames: list[Frame]) -> list[bool]:
    """Which frames are darker than the clip's mean."""
    means = [float(frame.planes.luma.mean()) for frame in frames]
    return [mean < sum(means) / len(means) for mean in means]


# The clip


def test_a_clip_alternates_between_under_and_over(config):
    frames = film(config)

    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.pts for frame in frames] == list(range(10))
    assert is_under(frames) == [True, False] * 5


def test_a_clip_may_start_with_the_long_exposure(config):
    assert is_under(film(dataclasses.replace(config, starts_with="over"))) == [False, True] * 5


def test_the_stream_is_described_before_the_first_frame(config):
    source = SimulatedSource(dataclasses.replace(config, frame_rate=29.97, seconds=1.0, bit_depth=10))

    info = source.open()
    frame = source.read()
    source.close()

    assert (info.width, info.height, info.bit_depth) == (96, 64, 10)
    assert info.frame_rate == Fraction(30000, 1001)
    assert info.time_base == Fraction(1001, 30000)
    assert info.frame_count == 30
    assert info.name == "simulated camera in room.hdr"
    assert info.color == frame.color == BT709
    assert (frame.time_base, frame.duration) == (info.time_base, 1)


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16)])
def test_frames_have_the_bit_depth_asked_for(config, bit_depth, dtype):
    frame = film(dataclasses.replace(config, bit_depth=bit_depth, seconds=0.08))[1]

    assert frame.planes.bit_depth == bit_depth
    assert frame.planes.luma.dtype == dtype
    assert 235 << (bit_depth - 8) >= frame.planes.luma.max() > 200 << (bit_depth - 8)


def test_odd_sizes_are_filmed(config):
    frame = film(dataclasses.replace(config, width=33, height=17, seconds=0.04))[0]

    assert frame.planes.luma.shape == (17, 33)
    assert frame.planes.chroma.shape == (2, 9, 17)


def test_the_same_settings_give_the_same_bytes(config):
    for first, second in zip(film(config), film(config), strict=True):
        np.testing.assert_array_equal(first.planes.luma, second.planes.luma)
        np.testing.assert_array_equal(first.planes.chroma, second.planes.chroma)


def test_another_seed_gives_another_clip(config):
    first, second = film(config)[0], film(dataclasses.replace(config, seed=4))[0]

    assert (first.planes.luma != second.planes.luma).any()


def test_exposures_are_told_only_on_request(config):
    under, over = SimulatedCamera(config).bracket
    silent, telling = film(config), film(dataclasses.replace(config, metadata=True))

    assert [frame.exposure for frame in silent] == [None] * 10
    assert [frame.exposure for frame in telling] == [under, over] * 5
    assert math.log2(over.time_us / under.time_us) == pytest.approx(config.stops)


def test_dropped_frames_leave_gaps_in_the_time_stamps_and_none_in_the_indices(config):
    frames = film(dataclasses.replace(config, seconds=4.0, dropped_frames=0.3))

    assert 50 < len(frames) < 90
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert any(after.pts - before.pts > 1 for before, after in itertools.pairwise(frames))
    assert is_under(frames) == [frame.pts % 2 == 0 for frame in frames]


def test_realtime_changes_when_frames_come_and_nothing_else(config):
    fast = dataclasses.replace(config, seconds=0.1, frame_rate=50.0)

    for first, second in zip(film(fast), film(dataclasses.replace(fast, realtime=True)), strict=True):
        np.testing.assert_array_equal(first.planes.luma, second.planes.luma)


@pytest.mark.parametrize("exposure", [None, ExposureConfig()], ids=["fixed", "steered"])
def test_realtime_can_be_interrupted_between_frames(config, exposure):
    slow = dataclasses.replace(config, seconds=None, frame_rate=0.1, realtime=True, exposure=exposure)
    source = SimulatedSource(slow)
    source.open()
    threading.Timer(0.1, source.interrupt).start()

    assert len(list(iter(source.read, None))) < 2
    assert source.read() is None
    source.close()


def test_an_endless_camera_has_no_frame_count(config):
    source = SimulatedSource(dataclasses.replace(config, seconds=None))

    assert source.open().frame_count is None
    assert [source.read().index for _ in range(30)] == list(range(30))
    source.close()


def test_a_source_can_be_opened_again(config):
    source = SimulatedSource(dataclasses.replace(config, control_delay_frames=2))
    clips = []
    for _ in range(2):
        source.open()
        clips.append(list(iter(source.read, None)))
        source.close()

    assert len(clips[0]) == len(clips[1]) == 10
    np.testing.assert_array_equal(clips[0][3].planes.luma, clips[1][3].planes.luma)


# The camera


def test_it_is_a_camera(config):
    camera: Camera = SimulatedCamera(config)

    camera.open()
    assert camera.read().index == 0
    camera.close()


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_an_exposure_is_honoured_some_frames_after_the_command(config, delay):
    camera = opened(dataclasses.replace(config, metadata=True, control_delay_frames=delay))
    camera.read()

    camera.set_exposure(1234.0)
    times_us = [camera.read().exposure.time_us for _ in range(6)]

    assert times_us.index(1234.0) == delay
    assert set(times_us[delay:]) == {1234.0}


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_the_source_waits_until_the_camera_follows(config, delay):
    frames = film(dataclasses.replace(config, control_delay_frames=delay))

    assert len(frames) == 10
    assert [frame.index for frame in frames] == list(range(10))
    assert is_under(frames) == [True, False] * 5


def test_exposures_are_held_within_the_limits(config):
    camera = opened(config)
    limits = camera.capabilities

    assert camera.set_exposure(1e9, gain=1000) == Exposure(limits.max_time_us, limits.max_gain)
    assert camera.set_exposure(0, gain=0) == Exposure(limits.min_time_us, limits.min_gain)
    assert limits.max_time_us == pytest.approx(40_000)


def test_a_camera_that_does_not_obey_takes_commands_and_changes_nothing(config):
    disobedient = dataclasses.replace(config, obeys=False, metadata=True)

    assert not SimulatedCamera(disobedient).capabilities.obeys
    assert len({frame.exposure for frame in film(disobedient)}) == 1


def test_twice_the_time_is_twice_the_light(config):
    camera = opened(dataclasses.replace(config, objects=0))
    decode = camera.picture(0, Exposure(500.0)), camera.picture(0, Exposure(1000.0))
    short, long = (SimulatedConfig.sensor(config).response.decode(picture) for picture in decode)
    unclipped = long < 0.99

    np.testing.assert_allclose(long[unclipped], 2 * short[unclipped], rtol=5e-3)


def test_flickering_mains_light_changes_short_exposures_more_than_long_ones(config):
    still = dataclasses.replace(config, pan_deg_per_s=0, shake_deg=0, objects=0, noise=0, frame_rate=30.0)
    camera = opened(dataclasses.replace(still, mains_hz=50.0, flicker_depth=0.5))

    # 50 Hz mains flickers 100 times a second: 10 ms of exposure see one whole period.
    short = [camera.picture(instant, Exposure(500.0)).mean() for instant in range(3)]
    whole = [camera.picture(instant, Exposure(10_000.0)).mean() for instant in range(3)]

    assert max(short) > 1.1 * min(short)
    assert max(whole) == pytest.approx(min(whole), rel=1e-3)


def test_a_closed_camera_says_so(config):
    with pytest.raises(SourceError, match="not open"):
        SimulatedCamera(config).read()


def test_a_missing_map_is_one_clear_error(config, tmp_path):
    source = SimulatedSource(dataclasses.replace(config, map=str(tmp_path / "none.hdr")))

    with pytest.raises(SourceError, match=r"none\.hdr: no such file"):
        source.open()
    source.close()


# The truth


def test_the_truth_is_the_noise_free_frame(config):
    camera = opened(config)
    for frame in film(dataclasses.replace(config, noise=0)):
        truth = camera.truth(frame.pts)
        expected = truth.under if frame.pts % 2 == 0 else truth.over

        seen = bgr_from_planes(frame.planes, frame.color)
        assert np.abs(seen - expected).mean() < 0.01


def test_noise_is_added_to_the_truth_and_nothing_else(config):
    camera = opened(config)
    noisy = np.stack([camera.picture(0, camera.bracket[0], noisy=True)])
    clean = camera.truth(0).under

    assert 0.001 < (noisy - clean).std() < 0.05
    assert abs((noisy - clean).mean()) < 0.002


def test_any_frame_can_be_rendered_alone(config):
    camera = opened(config)
    exposure = camera.bracket[1]

    alone = opened(config).picture(7, exposure, noisy=True)
    after_others = [camera.picture(instant, exposure, noisy=True) for instant in (3, 9, 7)][-1]

    np.testing.assert_array_equal(alone, after_others)


def test_radiance_is_what_both_exposures_see(config):
    camera = opened(config)
    truth = camera.truth(5)
    under, over = camera.bracket
    response = config.sensor().response

    unclipped = truth.over < 0.99
    scale = response.decode(truth.over)[unclipped] / truth.radiance[unclipped]
    scale_under = response.decode(truth.under)[unclipped] / truth.radiance[unclipped]

    np.testing.assert_allclose(scale, np.median(scale), rtol=1e-2)
    assert np.median(scale) / np.median(scale_under) == pytest.approx(over.time_us / under.time_us, rel=1e-2)


@pytest.mark.parametrize("other", [11, 9, 16, 10])
@pytest.mark.parametrize("objects", [0, 2])
def test_flow_leads_to_the_same_point_of_the_other_picture(config, objects, other):
    moving = dataclasses.replace(config, width=192, height=128, objects=objects, shake_deg=0.4, zoom_per_s=1.1)
    camera = opened(moving)
    flow = camera.flow(10, other)
    here, there = camera.truth(10).over, camera.truth(other).over

    columns, rows = np.meshgrid(np.arange(192, dtype=np.float32), np.arange(128, dtype=np.float32))
    x, y = columns + flow.displacement[..., 0], rows + flow.displacement[..., 1]
    brought = cv2.remap(there, x, y, cv2.INTER_CUBIC)

    # Outlines mix two surfaces in one pixel; there the flow belongs to the larger share.
    trusted = cv2.erode(flow.visible.astype(np.uint8), np.ones((3, 3))) > 0
    error = np.abs(brought - here).max(axis=-1)[trusted]
    assert trusted.mean() > 0.7
    assert np.percentile(error, 99) < 0.05


def test_flow_of_an_object_differs_from_the_background_and_covers_it(config):
    still = dataclasses.replace(config, width=192, height=128, pan_deg_per_s=0, shake_deg=0, objects=1)
    flow = opened(still).flow(0, 12)

    moving = np.hypot(flow.displacement[..., 0], flow.displacement[..., 1]) > 0.01
    assert 0.01 < moving.mean() < 0.3
    assert 0 < (~flow.visible).mean() < 0.3


def test_flow_to_the_same_instant_is_zero(config):
    flow = opened(config).flow(4, 4)

    np.testing.assert_allclose(flow.displacement, 0, atol=1e-3)
    assert flow.visible.mean() > 0.95


# The motion


def test_pan_tilt_and_zoom_are_steady():
    path = CameraPath(View(yaw_deg=5, fov_deg=90), pan_deg_per_s=10, tilt_deg_per_s=-3, zoom_per_s=2)

    view = path.view_at(2)

    assert (view.yaw_deg, view.pitch_deg) == pytest.approx((25, -6))
    assert view.focal_px == pytest.approx(4 * path.start.focal_px)


def test_the_hand_shakes_as_strongly_as_asked_and_smoothly():
    path = CameraPath(View(), shake_deg=0.5, seed=8)
    angles = np.array([(view.yaw_deg, view.pitch_deg) for view in map(path.view_at, np.arange(0, 60, 0.02))])

    np.testing.assert_allclose(angles.std(axis=0), 0.5, rtol=0.2)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.5


# The settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("map", ""),
        ("frame_rate", 0),
        ("frame_rate", math.inf),
        ("seconds", -1),
        ("stops", 0),
        ("stops", math.nan),
        ("seed", -1),
        ("control_delay_frames", -1),
        ("objects", -1),
        ("noise", -0.5),
        ("dropped_frames", 1.0),
        ("flicker_depth", 1.5),
        ("mains_hz", 0),
        ("zoom_per_s", 0),
        ("shake_deg", -1),
        ("fov_deg", 200),
        ("width", 0),
    ],
)
def test_impossible_settings_are_refused_with_the_value_seen(config, setting, value):
    with pytest.raises(ValueError, match=f"got .*{value}"):
        dataclasses.replace(config, **{setting: value})
