"""Single pictures into files; names of any script work on every system."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from stages.capture.picture import PICTURE_COLOR
from stages.color import bgr_from_planes
from stages.errors import EncodeError
from stages.frame import Planes

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Of the pictures that can be read and written."""

DEEP_SUFFIXES: Final = (".png", ".tif", ".tiff")
"""Of those that hold 16 bits."""


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
        partial.write_bytes(packed.tobytes())  # what ndarray.tofile raises has no reason in it
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EncodeError(f"{path}: cannot be written: {error.strerror}") from None
