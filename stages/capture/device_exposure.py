"""Exposure time of a camera through OpenCV's properties."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2

from stages.capture.video_device import VideoDevice


@dataclass(frozen=True, slots=True)
class _Driver:
    """What one of OpenCV's backends means by its properties."""

    manual: float
    """CAP_PROP_AUTO_EXPOSURE for exposures set by hand."""
    is_log2_s: bool
    """CAP_PROP_EXPOSURE is log2 of seconds; else it is in units of 100 us."""


_V4L2 = _Driver(manual=1, is_log2_s=False)
"""V4L2_EXPOSURE_MANUAL, and V4L2_CID_EXPOSURE_ABSOLUTE: Linux, media/v4l/ext-ctrls-camera."""
_WINDOWS = _Driver(manual=0, is_log2_s=True)
"""Media Foundation's CameraControl_Exposure."""
_DRIVERS = {cv2.CAP_V4L2: _V4L2, cv2.CAP_MSMF: _WINDOWS, cv2.CAP_DSHOW: _WINDOWS}

_UNIT_US = 100.0
_SHORTEST_LOG2_S = -14
_TRIES = 8


class DeviceExposure:
    """Sets the exposure time of an open camera; what the camera takes is found out by trying."""

    def __init__(self, device: VideoDevice, *, backend: int, frame_interval_us: float) -> None:
        """Take the exposure out of the camera's hands.

        Args:
            device: open.
            backend: one of OpenCV's, whose units the properties have.
            frame_interval_us: the longest exposure that is tried.
        """
        self.min_time_us = self.max_time_us = frame_interval_us
        self.obeys = False
        """Whether the driver takes different values; only the pictures prove that the camera follows."""
        self._device = device
        self._automatic = device.get(cv2.CAP_PROP_AUTO_EXPOSURE)
        driver = _DRIVERS.get(backend)
        if driver is None:
            return
        self._is_log2_s = driver.is_log2_s
        device.set(cv2.CAP_PROP_AUTO_EXPOSURE, driver.manual)
        low = self._first_taken(self._shortest(frame_interval_us))
        high = self._first_taken(self._longest(frame_interval_us))
        self.obeys = low is not None and high is not None and low < high
        if low is not None and high is not None and self.obeys:
            self.min_time_us, self.max_time_us = self._time_us(low), self._time_us(high)
        else:
            self.restore()

    def set(self, time_us: float) -> float:
        """Ask for an exposure time; returns what it was rounded to."""
        value = self._value(time_us)
        self._device.set(cv2.CAP_PROP_EXPOSURE, value)
        return self._time_us(value)

    def restore(self) -> None:
        """Give the exposure back to the camera, if it had it before."""
        self._device.set(cv2.CAP_PROP_AUTO_EXPOSURE, self._automatic)

    def _first_taken(self, values: Iterable[float]) -> float | None:
        """What the camera made of the first value that its driver did not refuse."""
        for value in values:
            if self._device.set(cv2.CAP_PROP_EXPOSURE, value):
                return self._device.get(cv2.CAP_PROP_EXPOSURE)
        return None

    def _shortest(self, frame_interval_us: float) -> Iterable[float]:
        if self._is_log2_s:
            return range(_SHORTEST_LOG2_S, math.floor(math.log2(frame_interval_us * 1e-6)))
        return [2.0**power for power in range(_TRIES)]

    def _longest(self, frame_interval_us: float) -> Iterable[float]:
        if self._is_log2_s:
            return range(math.floor(math.log2(frame_interval_us * 1e-6)), _SHORTEST_LOG2_S, -1)
        return [max(float(int(frame_interval_us / _UNIT_US / 2**halvings)), 1.0) for halvings in range(_TRIES)]

    def _value(self, time_us: float) -> float:
        return float(round(math.log2(time_us * 1e-6) if self._is_log2_s else max(time_us / _UNIT_US, 1.0)))

    def _time_us(self, value: float) -> float:
        return 2.0**value * 1e6 if self._is_log2_s else value * _UNIT_US
