"""Mixing two pictures on one pixel grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.alignment.crew import Crew
from stages.alignment.enlarging import Weight, enlarge_row, row_at, widened_weights
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

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
    full, half = widened_weights(weight, picture, crew)

    def lay_chroma(start: int, end: int) -> None:
        for source, target in zip(other.chroma, picture.chroma, strict=True):
            _lay_over(source, half, target, start, end)

    crew.rows(
        (picture.luma.shape, lambda start, end: _lay_over(other.luma, full, picture.luma, start, end)),
        (picture.chroma.shape[1:], lay_chroma),
    )


@kernel
def _lay_over(source: PixelArray, weight: Weight, target: PixelArray, start: int, end: int) -> None:
    """``weight`` has any height."""
    height, width = target.shape
    kept = np.empty(width, np.uint8)
    for y in range(start, end):
        enlarge_row(weight, row_at(y, height, weight.shape[0]), kept)
        for x in range(width):
            other = np.float32(source[y, x])
            share = np.float32(kept[x]) * _UNIT
            target[y, x] = np.int32(other + share * (np.float32(target[y, x]) - other) + _HALF)
