"""How bright a picture's pixels are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import ColorTags, Planes

BINS: Final = 64
_SAMPLES: Final = 1 << 16
"""About as many pixels are counted; more would not change the curve."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Luma from black to white, as shares of the pixels."""

    bins: tuple[float, ...]
    """``BINS`` shares that add up to 1; what lies beyond black or white counts at the edge."""
    black: float
    """Share of pixels at black or below: without detail."""
    white: float
    """Share at white or above."""


def histogram(planes: Planes, color: ColorTags) -> Histogram:
    """The histogram of every n-th pixel of every n-th row."""
    step = max(math.isqrt(planes.luma.size // _SAMPLES), 1)
    luma: npt.NDArray[Any] = np.ascontiguousarray(planes.luma[::step, ::step])
    unit = 1 << (planes.bit_depth - 8)
    black, white = (0, planes.max_value) if color.is_full_range else (16 * unit, 235 * unit)
    counts = cv2.calcHist([luma], [0], None, [planes.max_value + 1], [0, planes.max_value + 1]).ravel() / luma.size
    shares = np.concatenate([[counts[: black + 1].sum()], counts[black + 1 : white], [counts[white:].sum()]])
    place = np.arange(shares.size) * BINS // shares.size
    bins = np.bincount(place, weights=shares, minlength=BINS)
    return Histogram(tuple(bins.round(5).tolist()), round(float(shares[0]), 5), round(float(shares[-1]), 5))
