"""Mixing two pictures on one pixel grid."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.resampling import resize
from stages.frame import PixelArray, Planes


def blend_planes(first: Planes, second: Planes, weight: npt.NDArray[np.float32]) -> Planes:
    """``first`` by the weight, ``second`` by the rest.

    Args:
        first: a picture.
        second: another of the same size and depth.
        weight: (h, w) in [0, 1], any size with the picture's aspect.
    """
    luma = _blend(first.luma, second.luma, weight)
    chroma: Any = [_blend(*planes, weight) for planes in zip(first.chroma, second.chroma, strict=True)]
    return Planes(luma, np.stack(chroma), first.bit_depth)


def _blend(first: PixelArray, second: PixelArray, weight: npt.NDArray[np.float32]) -> PixelArray:
    full = resize(weight, *first.shape)
    if first.dtype == np.uint8:
        return np.asarray(cv2.blendLinear(first, second, full, 1 - full), np.uint8)
    # blendLinear knows 8 bits and floating point only.
    mixed = cv2.blendLinear(first.astype(np.float32), second.astype(np.float32), full, 1 - full)
    return np.rint(mixed).astype(np.uint16)
