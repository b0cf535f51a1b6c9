"""Planes as OpenCV shows them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.color import screen_bgr
from stages.frame import ColorTags, PixelArray, Planes


def bgr8_from_planes(planes: Planes, tags: ColorTags) -> npt.NDArray[np.uint8]:
    """BGR (height, width, 3) of planar YUV, within four code values of ``stages.color`` and many times faster.

    Matrix and range are those of the tags; Rec. ITU-T H.273 section 8.3. The transfer function stays as it is.
    """
    height, width = planes.height, planes.width
    luma, cb, cr = (_eight_bit(plane, planes.bit_depth) for plane in (planes.luma, *planes.chroma))
    even = (width + width % 2, height + height % 2)
    wide = [cv2.resize(plane, even, interpolation=cv2.INTER_LINEAR)[:height, :width] for plane in (cb, cr)]
    return screen_bgr([luma, *wide], tags, height=height)


def _eight_bit(pixels: PixelArray, bit_depth: int) -> npt.NDArray[np.uint8]:
    """10 bit is cut to 8."""
    eight: npt.NDArray[np.uint8] = (pixels if bit_depth == 8 else pixels >> 2).astype(np.uint8, copy=False)
    return eight
