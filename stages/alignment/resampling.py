"""Fetching pixels between pixels: for another size, and along a displacement field."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from stages.compiling import kernel
from stages.frame import PixelArray

Image = TypeVar("Image", bound=npt.NDArray[Any])
Places = npt.NDArray[np.float32]
"""(h, w, 2) as (x, y) in pixels."""


def resize(image: Image, height: int, width: int) -> Image:
    """``image`` (h, w) or (h, w, channels) at another size: areas averaged to shrink, bilinear to enlarge."""
    if image.shape[:2] == (height, width):
        return image
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    pixels: Any = cv2.resize(image, (width, height), interpolation=interpolation)
    resized: Image = pixels
    return resized


def fit(image: Image, long_side: int) -> Image:
    """``image`` shrunk to a long side, never enlarged."""
    return resize(image, *_fitting(image.shape, long_side))


def shrink(plane: PixelArray, long_side: int) -> PixelArray:
    """``fit`` for a plane of code values, as ``reduce`` does it."""
    return reduce(plane, *_fitting(plane.shape, long_side))


def reduce(plane: PixelArray, height: int, width: int) -> PixelArray:
    """``resize`` for a plane of code values; faster where a whole number of pixels makes one."""
    factor = plane.shape[0] // height
    if factor < 3 or plane.shape != (factor * height, factor * width):
        return resize(plane, height, width)
    small = np.empty((height, width), plane.dtype)
    _average(plane, factor, small)
    return small


def _fitting(shape: tuple[int, ...], long_side: int) -> tuple[int, int]:
    """(height, width) of a picture shrunk to a long side."""
    height, width = shape[:2]
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


@kernel
def _average(plane: PixelArray, factor: int, small: PixelArray) -> None:
    """Of blocks of so many pixels each way, rounded."""
    height, width = small.shape
    column, row = np.empty(plane.shape[1], np.uint32), np.empty(width, np.uint32)
    share = np.float32(1) / np.float32(factor * factor)
    for y in range(height):
        column[:] = 0
        for line in range(factor):
            pixels = plane[factor * y + line]
            for x in range(pixels.size):
                column[x] += np.uint32(pixels[x])
        row[:] = 0
        for step in range(factor):
            for x in range(width):
                row[x] += column[factor * x + step]
        for x in range(width):
            small[y, x] = np.int32(np.float32(row[x]) * share + np.float32(0.5))


def places(flow: npt.NDArray[np.float32]) -> Places:
    """Where ``fetch`` looks: each pixel's place plus its flow (h, w, 2)."""
    at: Places = flow + _grid(*flow.shape[:2])
    return at


def fetch(image: Image, at: Places) -> Image:
    """``image`` at places; the border is repeated outwards."""
    # OpenCV's types ask for a second map, and it takes an empty one at its word.
    no_second: Any = None
    pixels: Any = cv2.remap(image, at, no_second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    sampled: Image = pixels
    return sampled


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> Places:
    """Each pixel's own place."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)
