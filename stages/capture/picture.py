"""Reads one picture file."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from cv2.utils import logging as cv2_logging

from stages.capture.locate import printable
from stages.color import planes_from_bgr
from stages.errors import SourceError
from stages.frame import ColorRange, ColorTags, Planes

PICTURE_COLOR: Final = ColorTags(matrix=1, range=ColorRange.FULL, primaries=1, transfer=13)
"""sRGB, as pictures are; in full range all 256 levels of luma survive, in limited range 220 would be left."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_picture(path: Path) -> Planes:
    """A picture as YUV in ``PICTURE_COLOR``, upright: 8 bit, or 10 bit of a 16-bit file; alpha is left behind.

    Raises:
        SourceError: missing, no picture or a damaged one, or of floating-point values.
    """
    name = printable(str(path))
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from None
    picture = _decode(encoded)
    if picture is None:
        raise SourceError(f"{name} is no picture, or a damaged one; replace or remove it")
    if picture.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{name} holds {picture.dtype} samples; convert it to 8 or 16 bit")
    largest = np.iinfo(picture.dtype).max
    bgr = picture.astype(np.float32) / np.float32(largest)
    return planes_from_bgr(bgr, PICTURE_COLOR, bit_depth=8 if largest == 255 else 10)


def _decode(encoded: npt.NDArray[np.uint8]) -> npt.NDArray[Any] | None:
    """(height, width, 3) BGR samples as stored, upright; None for what is no picture, or only part of one."""
    # libpng complains of damage on standard error, past OpenCV's log level.
    if not encoded.size or _is_damaged_png(encoded.tobytes()):
        return None
    log_level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None
    finally:
        cv2_logging.setLogLevel(log_level)


def _is_damaged_png(content: bytes) -> bool:
    """PNG, third edition, section 5.3: chunks of a length, a type, data, and a CRC over type and data."""
    if not content.startswith(_PNG_SIGNATURE):
        return False
    view = memoryview(content)
    start = len(_PNG_SIGNATURE)
    while start + 12 <= len(view):
        end = start + 8 + int.from_bytes(view[start : start + 4], "big")
        if int.from_bytes(view[end : end + 4], "big") != zlib.crc32(view[start + 4 : end]):
            return True
        if content[start + 4 : start + 8] == b"IEND":
            return False
        start = end + 4
    return True
