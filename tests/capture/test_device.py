"""Cameras behind cv2.VideoCapture; none is needed, a stand-in has its properties and its habits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.capture.device import CameraConfig, CameraSource, OpenCvCamera
from stages.capture.device_pixels import planes_of_picture
from stages.capture.exposure.config import ExposureConfig
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.video_device import device_number
from stages.color import planes_from_bgr
from stages.errors import DamagedSourceError, SourceError
from stages.frame import ColorRange, ColorTags

BT601 = ColorTags(matrix=6, range=ColorRange.LIMITED)


class Webcam:
    """A USB camera on Linux: YUYV at 10 frames per second, MJPG at 30; exposures of 300 us to 500 ms."""

    def __init__(self, number: int = 0, *, obeys: bool = True, is_there: bool = True, width: int = 64) -> None:
        self.number = number
        self.released = False
        self.obeys = obeys
        self.is_there = is_there
        self.pictures_left = math.inf
        self.properties: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: 48,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"),
            cv2.CAP_PROP_CONVERT_RGB: 1,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3,
            cv2.CAP_PROP_EXPOSURE: 156,
            cv2.CAP_PROP_GAIN: 10,
        }

    @property
    def is_mjpg(self) -> bool:
        return self.properties[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.is_there

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        if propId == cv2.CAP_PROP_FPS:
            return True
        if propId == cv2.CAP_PROP_EXPOSURE:
            if not self.obeys or self.properties[cv2.CAP_PROP_AUTO_EXPOSURE] != 1:
                return False
            value = min(max(value, 3), 5000)
        self.properties[propId] = value
        return propId in self.properties

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        if propId == cv2.CAP_PROP_FPS:
            return 30.0 if self.is_mjpg else 10.0
        return self.properties.get(propId, -1.0)

    def read(self) -> tuple[bool, npt.NDArray[Any]]:
        self.pictures_left -= 1
        # A camera that never waits leaves a single core to nobody else.
        time.sleep(1e-3)
        if self.pictures_left < 0:
            return False, np.empty(0, np.uint8)
        width, height = (int(self.properties[p]) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        level = min(round(self.properties[cv2.CAP_PROP_EXPOSURE]), 255)
        converted = self.is_mjpg or self.properties[cv2.CAP_PROP_CONVERT_RGB]
        return True, np.full((height, width, 3 if converted else 2), level, np.uint8)

    def release(self) -> None:
        self.released = True


def opened(webcam: Webcam, **settings: Any) -> OpenCvCamera:
    camera = OpenCvCamera(CameraConfig(**settings), open_device=lambda number: webcam, backend=cv2.CAP_V4L2)
    camera.open()
    return camera


def test_a_camera_says_what_it_films() -> None:
    webcam = Webcam()
    camera = OpenCvCamera(CameraConfig(device=2), open_device=lambda number: webcam, backend=cv2.CAP_V4L2)
    info = camera.open()
    assert (info.width, info.height, info.name) == (64, 48, "camera 2")
    assert info.frame_rate == 10
    frames = [camera.read() for _ in range(3)]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert frames[0].pts <= frames[1].pts <= frames[2].pts
    camera.close()
    assert webcam.released


def test_yuyv_is_taken_as_it_is() -> None:
    webcam = Webcam()
    assert opened(webcam).read().color.matrix == 6
    assert webcam.properties[cv2.CAP_PROP_CONVERT_RGB] == 0


def test_a_compressed_format_is_asked_for_where_only_it_reaches_the_frame_rate() -> None:
    slow, fast = Webcam(), Webcam()
    opened(slow, frame_rate=10)
    opened(fast, frame_rate=30)
    assert not slow.is_mjpg
    assert fast.is_mjpg


def test_the_range_of_exposures_is_found_by_trying() -> None:
    webcam = Webcam()
    limits = opened(webcam).capabilities
    assert limits.obeys
    assert (limits.min_time_us, limits.max_time_us) == (300, 100_000)  # no longer than a frame at 10 per second
    assert webcam.properties[cv2.CAP_PROP_AUTO_EXPOSURE] == 1


def test_an_exposure_is_set_in_the_units_of_the_driver() -> None:
    webcam = Webcam()
    camera = opened(webcam)
    assert camera.set_exposure(8_040).time_us == 8_000
    assert webcam.properties[cv2.CAP_PROP_EXPOSURE] == 80
    assert camera.set_exposure(1).time_us == 300


def test_on_windows_an_exposure_is_a_power_of_two() -> None:
    class WindowsCamera(Webcam):
        def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
            if propId == cv2.CAP_PROP_EXPOSURE:
                if not -11 <= value <= -2:
                    return False
                self.properties[propId] = value
                return True
            return super().set(propId, value)

        def read(self) -> tuple[bool, npt.NDArray[Any]]:
            return True, np.zeros((48, 64, 3), np.uint8)

    webcam = WindowsCamera()
    camera = OpenCvCamera(CameraConfig(), open_device=lambda number: webcam, backend=cv2.CAP_MSMF)
    camera.open()
    limits = camera.capabilities
    assert (limits.min_time_us, limits.max_time_us) == (1e6 / 2**11, 1e6 / 2**4)
    assert camera.set_exposure(10_000).time_us == 1e6 / 2**7
    assert webcam.properties[cv2.CAP_PROP_EXPOSURE] == -7


def test_a_camera_gets_its_own_exposure_back() -> None:
    webcam = Webcam()
    opened(webcam).close()
    assert webcam.properties[cv2.CAP_PROP_AUTO_EXPOSURE] == 3


@pytest.mark.parametrize("exposure", [None, ExposureConfig(alternate="never")])
def test_exposures_set_by_the_makers_tool_are_left_alone(exposure: ExposureConfig | None) -> None:
    webcam = Webcam()
    opened(webcam, exposure=exposure)
    assert webcam.properties[cv2.CAP_PROP_AUTO_EXPOSURE] == 3
    assert webcam.properties[cv2.CAP_PROP_EXPOSURE] == 156


def test_a_camera_without_exposure_control_is_known() -> None:
    webcam = Webcam(obeys=False)
    assert not opened(webcam).capabilities.obeys
    assert webcam.properties[cv2.CAP_PROP_AUTO_EXPOSURE] == 3


def test_gain_stays_what_it_was_set_to() -> None:
    webcam = Webcam()
    camera = opened(webcam, gain=40)
    camera.set_exposure(5_000, gain=4.0)
    assert webcam.properties[cv2.CAP_PROP_GAIN] == 40
    assert camera.capabilities.max_gain == 1


def test_a_camera_that_is_not_there_is_one_line() -> None:
    with pytest.raises(SourceError, match="camera 0 cannot be opened; check that it is plugged in"):
        opened(Webcam(is_there=False))


def test_a_camera_that_is_unplugged_breaks_off() -> None:
    webcam = Webcam()
    camera = opened(webcam)
    webcam.pictures_left = 0
    with pytest.raises(DamagedSourceError, match="no more pictures"):
        camera.read()


def test_a_camera_has_a_number_or_a_path(tmp_path: Path) -> None:
    assert device_number(3) == 3
    assert device_number("3") == 3
    with pytest.raises(SourceError, match="there is no such device"):
        device_number(str(tmp_path / "video0"))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match="is no video device"):
        device_number(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"device": -1}, "-1"),
        ({"device": ""}, "''"),
        ({"width": 0}, "width.*0"),
        ({"frame_rate": -5}, "frame_rate.*-5"),
    ],
)
def test_settings_that_no_camera_has_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CameraConfig(**settings)


def test_yuyv_keeps_luma_and_averages_chroma_of_two_rows() -> None:
    rng = np.random.default_rng(0)
    yuyv = rng.integers(0, 256, (4, 6, 2), np.uint8)
    planes = planes_of_picture(yuyv, height=4)
    assert np.array_equal(planes.luma, yuyv[..., 0])
    for plane, first_column in zip(planes.chroma, (0, 1), strict=True):
        across = yuyv[:, first_column::2, 1].astype(float)
        assert np.abs(plane - across.reshape(2, 2, 3).mean(axis=1)).max() <= 0.5


def test_nv12_is_taken_apart() -> None:
    rng = np.random.default_rng(0)
    nv12 = rng.integers(0, 256, (6, 6), np.uint8)
    planes = planes_of_picture(nv12, height=4)
    assert np.array_equal(planes.luma, nv12[:4])
    assert np.array_equal(planes.chroma[0], nv12[4:, 0::2])
    assert np.array_equal(planes.chroma[1], nv12[4:, 1::2])


@pytest.mark.parametrize("size", [(48, 64), (49, 63)])
def test_bgr_becomes_bt601_in_limited_range(size: tuple[int, int]) -> None:
    small = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    bgr = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
    planes = planes_of_picture(bgr, height=size[0])
    exact = planes_from_bgr(bgr.astype(np.float32) / np.float32(255), BT601)
    assert np.abs(planes.luma.astype(int) - exact.luma).max() <= 1
    assert np.abs(planes.chroma.astype(int) - exact.chroma).mean() < 4


def test_a_picture_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 5000\)"):
        planes_of_picture(np.zeros((1, 5000), np.uint8), height=48)


def camera_source(cameras: Callable[[int], Webcam], **settings: Any) -> CameraSource:
    config = CameraConfig(reconnect=ReconnectConfig(stall_s=0.5, open_timeout_s=5), **settings)
    return CameraSource(config, open_device=cameras, backend=cv2.CAP_V4L2)


def test_an_unplugged_camera_is_opened_again_when_it_is_back() -> None:
    webcams: list[Webcam] = []

    def plug_in(number: int) -> Webcam:
        webcams.append(Webcam(number, is_there=len(webcams) != 1, width=64 if not webcams else 32))
        webcams[-1].pictures_left = 3 if len(webcams) == 1 else math.inf
        return webcams[-1]

    source = camera_source(plug_in, exposure=None)
    try:
        assert source.open().width == 64
        frames = [source.read() for _ in range(4)]
    finally:
        source.close()
    kept = [frame for frame in frames if frame is not None]
    assert [frame.planes.width for frame in kept] == [64, 64, 32, 32]
    assert len(webcams) == 3
    assert all(webcam.released for webcam in webcams[:2])
    assert all(a.pts < b.pts and a.index < b.index for a, b in pairwise(kept))


def test_a_camera_that_follows_is_bracketed_and_can_be_steered() -> None:
    source = camera_source(Webcam)
    try:
        source.open()
        assert source.bracket is not None
        levels = {int(frame.planes.luma[0, 0]) for frame in (source.read() for _ in range(20)) if frame is not None}
        assert len(levels) > 1
    finally:
        source.close()
