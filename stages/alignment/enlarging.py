"""Maps at the working size, brought to full size a row at a time, where a loop needs it: a full-size map is never made.

Along the rows a map is enlarged beforehand, which is a small part of the work; between the rows, in the loop.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.crew import Crew
from stages.compiling import part
from stages.frame import Planes

Weight = npt.NDArray[np.uint8]
"""255 = 1."""
RowPlace = tuple[int, int, np.float32]
"""Between which two rows a row lies, and which part of the way from the first to the second."""

_HALF = np.float32(0.5)


def widen(small: npt.NDArray[Any], purpose: str, width: int, crew: Crew) -> npt.NDArray[Any]:
    """A map (h, w) bilinearly enlarged along its rows alone, (h, width); valid until the purpose's next."""
    wide = crew.scratch(purpose, (small.shape[0], width), small.dtype)
    cv2.resize(small, wide.shape[::-1], dst=wide, interpolation=cv2.INTER_LINEAR)
    return wide


def widened_weights(weight: npt.NDArray[np.float32], picture: Planes, crew: Crew) -> tuple[Weight, Weight]:
    """A map of weights in [0, 1] (h, w), enlarged along its rows to the widths of luma and of chroma."""
    eight_bit = cv2.convertScaleAbs(weight, alpha=255)
    half_width = picture.chroma.shape[2]
    return widen(eight_bit, "luma weight", picture.width, crew), widen(eight_bit, "chroma weight", half_width, crew)


@part
def row_at(y: int, height: int, small_height: int) -> RowPlace:
    """Where a row of ``height`` lies among those of a map, whose border is repeated outwards."""
    place = (np.float32(y) + _HALF) * (np.float32(small_height) / np.float32(height)) - _HALF
    place = min(max(place, np.float32(0)), np.float32(small_height - 1))
    upper = int(place)
    return upper, min(upper + 1, small_height - 1), place - np.float32(upper)


@part
def enlarge_piece(small: Weight, row: RowPlace, begin: int, enlarged: Weight) -> None:
    """Fills a piece of a row, which begins at a column of the map."""
    upper, lower, part = row
    above, below = small[upper, begin:], small[lower, begin:]
    for x in range(enlarged.size):
        value = np.float32(above[x])
        enlarged[x] = np.int32(value + part * (np.float32(below[x]) - value) + _HALF)


@part
def enlarge_row(small: Weight, row: RowPlace, enlarged: Weight) -> None:
    """Fills a row with what lies between two rows of a map."""
    enlarge_piece(small, row, 0, enlarged)
