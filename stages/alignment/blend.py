"""Mixing two pictures on one pixel grid."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.crew import Crew
from stages.alignment.resampling import enlarge
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

_HALF = np.float32(0.5)
_UNIT = np.float32(1 / 255)


def blend_planes(
    first: Planes, second: Planes, weight: npt.NDArray[np.float32], crew: Crew, *, into_second: bool = False
) -> Planes:
    """``first`` by the weight, ``second`` by the rest.

    Args:
        first: a picture.
        second: another of the same size and depth.
        weight: (h, w) in [0, 1], any size with the picture's aspect.
        crew: does it.
        into_second: the second is needed no more and may be written over.
    """
    mixed = second if into_second else Planes(second.luma.copy(), second.chroma.copy(), second.bit_depth)
    full = enlarged_weight(weight, mixed.luma.shape, crew)
    crew.rows(full.shape, lambda *rows: _lay_over(first.luma, full, mixed.luma, *rows))
    every_second = full[::2, ::2]
    crew.rows(every_second.shape, lambda *rows: _lay_both_over(first.chroma, every_second, mixed.chroma, *rows))
    return mixed


def enlarged_weight(weight: npt.NDArray[np.float32], shape: tuple[int, ...], crew: Crew) -> npt.NDArray[np.uint8]:
    """A map of weights in [0, 1] at full size, 255 = 1; valid until the next is asked for."""
    full = crew.scratch("weight", shape, np.uint8)
    enlarge(cv2.convertScaleAbs(weight, alpha=255), full)
    return full


@kernel
def _lay_over(source: PixelArray, weight: npt.NDArray[np.uint8], target: PixelArray, start: int, end: int) -> None:
    for y in range(start, end):
        for x in range(target.shape[1]):
            own = np.float32(target[y, x])
            share = np.float32(weight[y, x]) * _UNIT
            target[y, x] = np.int32(own + share * (np.float32(source[y, x]) - own) + _HALF)


@kernel
def _lay_both_over(source: PixelArray, weight: npt.NDArray[np.uint8], target: PixelArray, start: int, end: int) -> None:
    for channel in range(2):
        _lay_over(source[channel], weight, target[channel], start, end)
