"""What is used of cv2.VideoCapture, so that a test can stand in for a camera."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy.typing as npt
from cv2.utils import logging as cv2_logging

from stages.capture.locate import printable
from stages.errors import SourceError


class VideoDevice(Protocol):
    """An open camera, with the names and meanings of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether there is a camera behind it."""

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Whether the driver took the value; what it made of it, ``get`` tells."""

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """The value of a property; 0 or -1 where it does not exist."""

    def read(self) -> tuple[bool, npt.NDArray[Any]]:
        """Wait for the next picture; false when there is none."""

    def release(self) -> None:
        """Let go of it."""


OpenDevice = Callable[[int], VideoDevice]
"""Opens the camera with this number."""

BACKEND = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}.get(sys.platform, cv2.CAP_ANY)
"""OpenCV's way to cameras on this system."""

_NUMBERED = re.compile(r"/dev/video(\d+)")


def open_device(number: int) -> VideoDevice:
    """The camera with this number, as this system counts them."""
    # Where there is none, OpenCV would print its own lines beside ours.
    log_level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(number, BACKEND)
    finally:
        cv2_logging.setLogLevel(log_level)


def device_number(device: int | str) -> int:
    """The number of a camera that is named by number or by path, such as /dev/v4l/by-id/...

    Raises:
        SourceError: there is no such path, or it is no camera.
    """
    if isinstance(device, int) or device.isdecimal():
        return int(device)
    path = Path(device)
    if not path.exists():
        there = ", ".join(sorted(str(found) for found in Path("/dev").glob("video*"))) or "none"
        raise SourceError(f"camera {printable(device)}: there is no such device; cameras on this machine: {there}")
    numbered = _NUMBERED.fullmatch(str(path.resolve()))
    if numbered is None:
        raise SourceError(f"camera {printable(device)} is no video device; name one such as /dev/video0")
    return int(numbered[1])
