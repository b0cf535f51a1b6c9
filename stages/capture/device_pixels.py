"""Planar YUV of the pictures that cameras give through OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.color import planes_from_bgr
from stages.frame import ColorRange, ColorTags, Planes

BT601 = ColorTags(matrix=6, range=ColorRange.LIMITED, primaries=1, transfer=13)
"""What USB cameras send unless they say otherwise: USB Video Class 1.5, color matching descriptor, default values."""


def planes_of_picture(picture: npt.NDArray[Any], *, height: int) -> Planes:
    """The planes, with BT.601's matrix in limited range; their shape tells the layouts apart.

    Args:
        picture: uint8; (height, width, 3) BGR, (height, width, 2) YUYV or (1.5 * height, width) NV12.
        height: as the camera says.

    Raises:
        ValueError: another layout.
    """
    if picture.dtype == np.uint8:
        match picture.shape:
            case (_, _, 3):
                return _planes_of_bgr(picture)
            case (rows, columns, 2) if rows % 2 == columns % 2 == 0:
                return _planes_of_yuyv(picture)
            case (rows, columns) if 2 * rows == 3 * height and columns % 2 == 0:
                pairs = picture[height:].reshape(height // 2, columns // 2, 2)
                return Planes(picture[:height].copy(), np.stack([pairs[..., 0], pairs[..., 1]]))
    raise ValueError(f"a picture of shape {picture.shape} and type {picture.dtype}")


def _planes_of_bgr(bgr: npt.NDArray[np.uint8]) -> Planes:
    height, width = bgr.shape[:2]
    if height % 2 or width % 2:
        return planes_from_bgr(bgr.astype(np.float32) / np.float32(255), BT601)
    # Several hundred times as fast, and within one code value, with chroma of one pixel for four.
    packed = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    chroma = packed[height:].reshape(2, height // 2, width // 2)
    return Planes(packed[:height].astype(np.uint8), chroma.astype(np.uint8))


def _planes_of_yuyv(yuyv: npt.NDArray[np.uint8]) -> Planes:
    """Luma as it is; chroma, which has every row, as the mean of two rows."""
    height, width = yuyv.shape[:2]
    rows = yuyv[..., 1].reshape(height // 2, 2, width // 2, 2).astype(np.uint16)
    chroma = ((rows[:, 0] + rows[:, 1] + 1) >> 1).astype(np.uint8)
    return Planes(np.ascontiguousarray(yuyv[..., 0]), np.ascontiguousarray(np.moveaxis(chroma, -1, 0)))
