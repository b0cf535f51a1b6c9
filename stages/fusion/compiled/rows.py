"""Rows of pictures as kernels read and write them: even and odd columns apart, with a cell of border at both ends.

So every loop over pixels is over neighbouring numbers. Rows that lie in a picture have no border.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stages.compiling import kernel, part
from stages.frame import PixelArray

Floats: TypeAlias = npt.NDArray[np.float32]
Source: TypeAlias = Floats | PixelArray
"""A picture, (H, W), or a row of it: code values, or their averages."""


@part
def split_row(source: Source, low: np.float32, high: np.float32, even: Floats, odd: Floats) -> None:
    """A row of code values, clipped to a range; where it is odd its last column counts twice."""
    pairs = source.size // 2
    for j in range(pairs):
        even[j + 1] = min(max(np.float32(source[2 * j]), low), high)
        odd[j + 1] = min(max(np.float32(source[2 * j + 1]), low), high)
    if source.size % 2:
        even[pairs + 1] = min(max(np.float32(source[source.size - 1]), low), high)
        odd[pairs + 1] = even[pairs + 1]


@part
def join_floats(even: Floats, odd: Floats, target: Floats) -> None:
    """The opposite of ``split_row``."""
    pairs = target.size // 2
    for j in range(pairs):
        target[2 * j] = even[j + 1]
        target[2 * j + 1] = odd[j + 1]
    if target.size % 2:
        target[target.size - 1] = even[pairs + 1]


@kernel
def reduce_rows(source: Source, target: Floats, first: int, last: int, low: np.float32, high: np.float32) -> None:
    """Rows ``[first, last)`` of the next level: ``pyramid.reduce`` of a picture clipped to a range."""
    _reduce_rows(source, target, first, last, low, high, np.empty(source.shape[1] + 3, np.float32))


@part
def _reduce_rows(
    source: Source, target: Floats, first: int, last: int, low: np.float32, high: np.float32, bordered: Floats
) -> None:
    """The same, and room for a row with its border."""
    height, width = source.shape
    for y in range(first, last):
        above, below = source[max(2 * y - 1, 0)], source[min(2 * y + 2, height - 1)]
        upper, lower = source[2 * y], source[min(2 * y + 1, height - 1)]
        for x in range(width):
            near = min(max(np.float32(upper[x]), low), high) + min(max(np.float32(lower[x]), low), high)
            far = min(max(np.float32(above[x]), low), high) + min(max(np.float32(below[x]), low), high)
            bordered[x + 1] = near * np.float32(3 / 64) + far * np.float32(1 / 64)
        bordered[0] = bordered[1]
        bordered[width + 1] = bordered[width]
        bordered[width + 2] = bordered[width]
        row = target[y]
        for j in range(row.size):
            near = bordered[2 * j + 1] + bordered[2 * j + 2]
            row[j] = np.float32(3) * near + bordered[2 * j] + bordered[2 * j + 3]


@part
def expand_row(coarse: Floats, y: int, bordered: Floats) -> None:
    """Row ``y`` of ``pyramid.expand``, but for its columns, which are the coarse picture's."""
    k = y // 2
    near = coarse[k]
    far = coarse[max(k - 1, 0)] if y % 2 == 0 else coarse[min(k + 1, coarse.shape[0] - 1)]
    count = near.size
    for j in range(count):
        bordered[j + 1] = np.float32(0.75) * near[j] + np.float32(0.25) * far[j]
    bordered[0] = bordered[1]
    bordered[count + 1] = bordered[count]
