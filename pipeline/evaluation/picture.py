"""Pictures as the evaluation holds them: 8-bit BGR, as read from files and shown on screens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from cv2.utils import logging as cv2_logging

from stages.capture.locate import printable
from stages.errors import SourceError

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) BGR, gamma-encoded."""

FloatMap = npt.NDArray[np.float32]
"""(height, width)."""


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what it thinks of a file or of its own code."""
    log_level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2_logging.setLogLevel(log_level)


def read_bgr(path: Path) -> Picture:
    """A picture file, upright; 16 bit is reduced to 8, alpha left behind.

    Raises:
        SourceError: missing, no picture or a damaged one.
    """
    name = printable(str(path))
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from None
    try:
        with quiet_opencv():
            picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise SourceError(f"{name} is no picture, or a damaged one; replace or remove it")
    return np.asarray(picture, np.uint8)


def shrink(picture: Picture, longest_side: int | None) -> Picture:
    """At most ``longest_side`` pixels wide and high, by area averages; unchanged where it is already, or for None."""
    height, width = picture.shape[:2]
    if longest_side is None or max(height, width) <= longest_side:
        return picture
    scale = longest_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def luma_of(picture: Picture) -> npt.NDArray[np.uint8]:
    """BT.601 luma (height, width), rounded: what the literature's ``rgb2gray`` gives, whose figures we compare with."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def encoded_floats(picture: Picture) -> npt.NDArray[np.float32]:
    """The same in [0, 1]."""
    return np.asarray(picture / np.float32(255), np.float32)


def rounded(encoded: npt.NDArray[np.integer | np.floating]) -> Picture:
    """8-bit BGR of encoded values in [0, 1], clipped; what is not a number becomes black."""
    return np.asarray(np.rint(np.nan_to_num(encoded).clip(0, 1) * 255), np.uint8)
