"""Frames from a camera at this machine, through OpenCV: V4L2, Media Foundation, AVFoundation."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Final, Literal

import cv2

from stages.capture.bracketed import BracketedSource
from stages.capture.camera import CameraCapabilities
from stages.capture.device_exposure import DeviceExposure
from stages.capture.device_pixels import BT601, planes_of_picture
from stages.capture.exposure.config import ExposureConfig
from stages.capture.locate import printable
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.supervised import SupervisedSource
from stages.capture.video_device import BACKEND, OpenDevice, VideoDevice, device_number, open_device
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Exposure, Frame, Planes, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Source

_TIME_BASE: Final = Fraction(1, 1_000_000)
_USUAL_INTERVAL_US: Final = 1_000_000 / 30
_ENOUGH: Final = 0.9
"""Share of the frame rate wished for with which an uncompressed format is kept."""
_UNCONVERTED: Final = ("YUYV", "NV12")
"""Formats of V4L2 that are taken without a detour through BGR."""


@dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """A camera at this machine; what is asked of it are wishes, and it is opened again whenever it is lost."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["camera"] = "camera"
    """Which source this is."""
    device: int | str = 0
    """Number or path of the camera: 0, /dev/video0, or a path in /dev/v4l/by-id that stays when it is replugged."""
    width: int | None = None
    """In pixels; null: the camera's choice."""
    height: int | None = None
    """In pixels; null: the camera's choice."""
    frame_rate: float | None = None
    """Frames per second; null: the camera's choice."""
    pixel_format: Literal["auto", "yuyv", "nv12", "mjpg"] = "auto"
    """What the camera is to send; auto: its choice, or mjpg where it reaches ``frame_rate`` only so."""
    gain: float | None = None
    """Gain in the camera's own units, the same for all frames; null: as it is."""
    exposure: ExposureConfig | None = field(default_factory=ExposureConfig)
    """How its exposures are set; null: they are left to it."""
    reconnect: ReconnectConfig = field(default_factory=ReconnectConfig)
    """When it counts as lost, and what then."""

    def __post_init__(self) -> None:
        """Refuse what no camera can do."""
        if self.device == "" or (isinstance(self.device, int) and self.device < 0):
            raise ValueError(f"device must be a number from 0 or a path such as /dev/video0, got {self.device!r}")
        for name in ("width", "height", "frame_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")


class OpenCvCamera:
    """A ``Camera`` behind cv2.VideoCapture. All of it must be used in one thread.

    Gain stays as it is: drivers count it in units of their own, so that no ratio of exposures could be told from it.
    """

    def __init__(self, config: CameraConfig, *, open_device: OpenDevice = open_device, backend: int = BACKEND) -> None:
        self._config = config
        self._open_device = open_device
        self._backend = backend
        self._name = _name(config)
        self._device: VideoDevice | None = None
        self._exposure: DeviceExposure | None = None
        self._interval_us = _USUAL_INTERVAL_US
        self._height = 0
        self._index = 0

    @property
    def capabilities(self) -> CameraCapabilities:
        """As found out by trying when it was opened; exposures no longer than a frame."""
        control = self._exposure
        if control is None:
            return CameraCapabilities(min_time_us=self._interval_us, max_time_us=self._interval_us, obeys=False)
        return CameraCapabilities(min_time_us=control.min_time_us, max_time_us=control.max_time_us, obeys=control.obeys)

    def open(self) -> StreamInfo:
        """Start it, set it up and read the first picture.

        Raises:
            SourceError: there is no such camera, another program has it, or it gives no picture.
        """
        device = self._device = self._open_device(device_number(self._config.device))
        if not device.isOpened():
            raise SourceError(
                f"{self._name} cannot be opened; check that it is plugged in, that no other program uses it, "
                "and that you may (on Linux: group video)"
            )
        self._set_up(device)
        rate = device.get(cv2.CAP_PROP_FPS)
        self._interval_us = 1_000_000 / rate if rate > 0 else _USUAL_INTERVAL_US
        self._height = int(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if self._config.exposure is not None and self._config.exposure.alternate != "never":
            self._exposure = DeviceExposure(device, backend=self._backend, frame_interval_us=self._interval_us)
        planes = self._picture(device)
        if planes is None:
            raise SourceError(f"{self._name} gives no picture; check that no other program uses it")
        self._index = 0
        return StreamInfo(
            width=planes.width,
            height=planes.height,
            bit_depth=8,
            time_base=_TIME_BASE,
            frame_rate=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            color=BT601,
            name=self._name,
        )

    def set_exposure(self, time_us: float, gain: float = 1.0) -> Exposure:
        """Ask for an exposure time; ``gain`` is not touched."""
        accepted = self.capabilities.clamp(Exposure(time_us, gain))
        if self._exposure is None or not self._exposure.obeys:
            return accepted
        return Exposure(self._exposure.set(accepted.time_us))

    def read(self) -> Frame:
        """Wait for the next frame.

        Raises:
            DamagedSourceError: the camera was lost.
        """
        assert self._device is not None, "open() comes first"
        planes = self._picture(self._device)
        if planes is None:
            raise DamagedSourceError(f"{self._name} gives no more pictures; check that it is plugged in")
        self._index += 1
        return Frame(
            index=self._index - 1,
            planes=planes,
            pts=time.monotonic_ns() // 1000,
            time_base=_TIME_BASE,
            duration=round(self._interval_us),
            captured_ns=time.time_ns(),
            color=BT601,
        )

    def close(self) -> None:
        """Give the exposure back to the camera and let go of it."""
        if self._exposure is not None and self._exposure.obeys:
            self._exposure.restore()
        if self._device is not None:
            self._device.release()
        self._device = self._exposure = None

    def _set_up(self, device: VideoDevice) -> None:
        """Ask for what is wished; what came of it, the pictures show."""
        config = self._config
        if config.pixel_format != "auto":
            _set_format(device, config.pixel_format)
        self._set_size_and_rate(device)
        is_slow = config.frame_rate is not None and device.get(cv2.CAP_PROP_FPS) < _ENOUGH * config.frame_rate
        if config.pixel_format == "auto" and is_slow:
            _set_format(device, "mjpg")
            self._set_size_and_rate(device)
        if self._backend == cv2.CAP_V4L2 and _format(device) in _UNCONVERTED:
            device.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        if config.gain is not None:
            device.set(cv2.CAP_PROP_GAIN, config.gain)

    def _set_size_and_rate(self, device: VideoDevice) -> None:
        for name, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, self._config.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, self._config.height),
            (cv2.CAP_PROP_FPS, self._config.frame_rate),
        ):
            if value is not None:
                device.set(name, value)

    def _picture(self, device: VideoDevice) -> Planes | None:
        there, picture = device.read()
        if not there:
            return None
        try:
            return planes_of_picture(picture, height=self._height)
        except ValueError as seen:
            raise SourceError(f"{self._name} gives {seen}; try another pixel_format") from None


class CameraReading(Source):
    """A camera whose exposures are left to it."""

    def __init__(self, camera: OpenCvCamera) -> None:
        self._camera = camera

    def open(self) -> StreamInfo:
        """As the camera."""
        return self._camera.open()

    def read(self) -> Frame:
        """As the camera."""
        return self._camera.read()

    def close(self) -> None:
        """As the camera."""
        self._camera.close()


class CameraSource(SupervisedSource):
    """Films with a camera at this machine, under and over alternately where it can."""

    Config = CameraConfig

    def __init__(self, config: CameraConfig, *, open_device: OpenDevice = open_device, backend: int = BACKEND) -> None:
        self._config = config
        self._open_device = open_device
        self._backend = backend
        super().__init__(self._camera, config.reconnect, name=_name(config))

    def _camera(self) -> Source:
        camera = OpenCvCamera(self._config, open_device=self._open_device, backend=self._backend)
        exposure = self._config.exposure
        return CameraReading(camera) if exposure is None else BracketedSource(camera, exposure)


def _name(config: CameraConfig) -> str:
    return f"camera {printable(str(config.device))}"


def _set_format(device: VideoDevice, name: str) -> None:
    device.set(cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*name.upper())))


def _format(device: VideoDevice) -> str:
    """The four letters of the format that the camera sends."""
    code = int(device.get(cv2.CAP_PROP_FOURCC))
    return code.to_bytes(4, "little").decode("latin-1") if 0 < code < 1 << 32 else ""
