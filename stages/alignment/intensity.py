"""What one exposure would have recorded where the other recorded this: two monotone curves on luma code values.

The curves come from the pair's histograms (the brighter half of one frame is the brighter half of the other), so they
need neither the exposure times nor the response, and no alignment. Where an exposure is saturated or black, many
values of the other share one code, and the curve gives the median of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import PixelArray

Table = TypeVar("Table", bound=npt.NDArray[Any])

_HISTOGRAM_SMOOTHING = 1.0
"""Deviation, in 8-bit code values, of the blur that closes the gaps in a histogram."""

_OUTLIER_SHARE = 1e-4
"""The darkest and the brightest of this share do not stretch a curve to codes the other exposure never reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class IntensityMapping:
    """Lookup tables between the exposures; 256 entries for 8 bit (uint8), 1024 for 10 bit (uint16)."""

    under_to_over: PixelArray
    over_to_under: PixelArray


def estimate_mapping(under: PixelArray, over: PixelArray, bit_depth: int) -> IntensityMapping:
    """The curves of a pair, from its histograms.

    Args:
        under: (h, w) luma code values, any subsampling of the frame.
        over: the same of the longer exposure.
        bit_depth: 8 or 10.
    """
    under_rank, over_rank = (_mid_ranks(luma, bit_depth) for luma in (under, over))
    return IntensityMapping(
        under_to_over=_match(under_rank, over_rank, under.dtype),
        over_to_under=_match(over_rank, under_rank, over.dtype),
    )


def lookup(luma: PixelArray, table: Table) -> Table:
    """The entry of a table of 256 or 1024 for each pixel of a plane."""
    found: Any = cv2.LUT(luma, table) if luma.dtype == np.uint8 else np.take(table, luma, mode="clip")
    entries: Table = found
    return entries


def _mid_ranks(luma: PixelArray, bit_depth: int) -> npt.NDArray[np.float64]:
    """Share of pixels below each code value, plus half of those at it; strictly increasing."""
    size = 1 << bit_depth
    histogram = cv2.calcHist([luma], [0], None, [size], [0, size]).astype(np.float64)
    smooth = cv2.GaussianBlur(
        histogram, (1, 0), sigmaX=0.1, sigmaY=_HISTOGRAM_SMOOTHING * size / 256, borderType=cv2.BORDER_REFLECT
    ).ravel()
    mass = smooth / smooth.sum() + 1e-9
    return np.asarray((np.cumsum(mass) - mass / 2) / mass.sum())


def _match(
    source_rank: npt.NDArray[np.float64],
    target_rank: npt.NDArray[np.float64],
    dtype: np.dtype[Any],
) -> PixelArray:
    """For each source code value the target code value of the same rank."""
    seen = np.interp([_OUTLIER_SHARE, 1 - _OUTLIER_SHARE], target_rank, np.arange(target_rank.size))
    curve = np.interp(source_rank, target_rank, np.arange(target_rank.size, dtype=np.float64))
    rounded: PixelArray = np.rint(np.clip(curve, *seen)).astype(dtype)
    return rounded
