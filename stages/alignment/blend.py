"""Mixing two pictures on one pixel grid."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.crew import Crew
from stages.alignment.resampling import enlarge
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

Weight = npt.NDArray[np.uint8]
"""255 = 1."""

_HALF = np.float32(0.5)
_UNIT = np.float32(1 / 255)


def lay_over(picture: Planes, other: Planes, weight: npt.NDArray[np.float32], crew: Crew) -> None:
    """Keeps of a picture what the weight says and lays another over it by the rest.

    Args:
        picture: written to.
        other: of the same size and depth.
        weight: (h, w) in [0, 1], any size with the picture's aspect.
        crew: does it.
    """
    full, half = enlarged_weights(weight, picture, crew)
    crew.rows(full.shape, lambda *rows: _lay_over(other.luma, full, picture.luma, *rows))
    for source, target in zip(other.chroma, picture.chroma, strict=True):
        crew.rows(half.shape, lambda *rows, source=source, target=target: _lay_over(source, half, target, *rows))


def enlarged_weights(weight: npt.NDArray[np.float32], picture: Planes, crew: Crew) -> tuple[Weight, Weight]:
    """A map of weights in [0, 1] at the sizes of luma and of chroma; valid until the next are asked for."""
    eight_bit = cv2.convertScaleAbs(weight, alpha=255)
    full = crew.scratch("luma weight", picture.luma.shape, np.uint8)
    half = crew.scratch("chroma weight", picture.chroma.shape[1:], np.uint8)
    enlarge(eight_bit, full)
    enlarge(eight_bit, half)
    return full, half


@kernel
def _lay_over(source: PixelArray, weight: Weight, target: PixelArray, start: int, end: int) -> None:
    for y in range(start, end):
        for x in range(target.shape[1]):
            other = np.float32(source[y, x])
            share = np.float32(weight[y, x]) * _UNIT
            target[y, x] = np.int32(other + share * (np.float32(target[y, x]) - other) + _HALF)
