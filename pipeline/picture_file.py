"""Single pictures from and to files; names of any script work on every system."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from stages.color import bgr_from_planes, planes_from_bgr
from stages.errors import EncodeError, SourceError
from stages.frame import ColorRange, ColorTags, Planes

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Of the pictures that can be read and written."""

DEEP_SUFFIXES: Final = (".png", ".tif", ".tiff")
"""Of those that hold 16 bits."""

PICTURE_COLOR: Final = ColorTags(matrix=1, range=ColorRange.FULL, primaries=1, transfer=13)
"""sRGB in full-range BT.709 YUV."""


def read_picture(path: Path) -> Planes:
    """A picture in ``PICTURE_COLOR``: 8 bit, or 10 bit of a 16-bit file.

    Raises:
        SourceError: missing, not a picture, or of floating-point values.
    """
    try:
        packed = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    picture = cv2.imdecode(packed, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if packed.size else None
    if picture is None:
        raise SourceError(f"{path}: not a picture, or a damaged one")
    if picture.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{path}: holds {picture.dtype} values; give the exposures as 8- or 16-bit pictures")
    bit_depth, white = (8, 255) if picture.dtype == np.uint8 else (10, 65535)
    return planes_from_bgr(picture.astype(np.float32) / np.float32(white), PICTURE_COLOR, bit_depth=bit_depth)


def write_picture(path: Path, planes: Planes) -> None:
    """Write beside the final name and rename; 10-bit planes become 16 bits where the format holds them.

    Raises:
        EncodeError: the format is unknown or the file cannot be written.
    """
    deep = planes.bit_depth > 8 and path.suffix.lower() in DEEP_SUFFIXES
    bgr = bgr_from_planes(planes, PICTURE_COLOR)
    picture = np.rint(bgr * 65535).astype(np.uint16) if deep else np.rint(bgr * 255).astype(np.uint8)
    written, packed = cv2.imencode(path.suffix, picture)
    if not written:
        raise EncodeError(f"{path}: cannot be made a {path.suffix} of {planes.width}x{planes.height}")
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        packed.tofile(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EncodeError(f"{path}: cannot be written: {error.strerror}") from None
