"""Fetching a single pixel from between the pixels of a picture, whose border is repeated outwards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.compiling import part
from stages.frame import PixelArray

SHARPNESS = np.float32(-0.75)
"""Slope of the cubic kernel at its first zero, as OpenCV has it (R. Keys, "Cubic convolution", 1981)."""
_ONE, _TWO, _THREE = np.float32(1), np.float32(2), np.float32(3)


@part
def cubic_pixel(source: PixelArray, row: int, left: int, x_part: np.float32, y_part: np.float32) -> np.float32:
    """Between sixteen pixels, from the row above the given one and the column given."""
    height, width = source.shape
    first, second = np.uintp(min(max(left, 0), width - 1)), np.uintp(min(max(left + 1, 0), width - 1))
    third, fourth = np.uintp(min(max(left + 2, 0), width - 1)), np.uintp(min(max(left + 3, 0), width - 1))
    w0, w1, w2, w3 = _cubic_weights(x_part)
    v0, v1, v2, v3 = _cubic_weights(y_part)
    total = np.float32(0)
    for away, weight in ((-1, v0), (0, v1), (1, v2), (2, v3)):
        line = np.uintp(min(max(row + away, 0), height - 1))
        across = w0 * np.float32(source[line, first]) + w1 * np.float32(source[line, second])
        total += weight * (across + w2 * np.float32(source[line, third]) + w3 * np.float32(source[line, fourth]))
    return total


@part
def _cubic_weights(part: np.float32) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    rest = _ONE - part
    w0 = SHARPNESS * part * rest * rest
    w1 = ((SHARPNESS + _TWO) * part - (SHARPNESS + _THREE)) * part * part + _ONE
    w3 = SHARPNESS * rest * part * part
    return w0, w1, _ONE - w0 - w1 - w3, w3


@part
def linear_pixel(
    source: PixelArray | npt.NDArray[np.float32], row: int, column: int, x_part: np.float32, y_part: np.float32
) -> np.float32:
    """Between four pixels, of which the given one is the upper left."""
    height, width = source.shape
    upper, lower = min(max(row, 0), height - 1), min(max(row + 1, 0), height - 1)
    left, right = min(max(column, 0), width - 1), min(max(column + 1, 0), width - 1)
    above, below = np.float32(source[upper, left]), np.float32(source[lower, left])
    above += x_part * (np.float32(source[upper, right]) - above)
    below += x_part * (np.float32(source[lower, right]) - below)
    return np.float32(above + y_part * (below - above))
