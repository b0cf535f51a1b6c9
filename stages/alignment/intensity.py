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

FloatArray = npt.NDArray[np.float64]
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


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The curves before they are rounded; row 0 leads from under to over, row 1 from over to under."""

    codes: FloatArray
    """(2, 256 or 1024) code values of the target, for each of the source; they never fall."""
    evidence: FloatArray
    """(2, 256 or 1024) share of the source's pixels that have the code value, summed over the pairs that were seen."""

    def rounded(self) -> IntensityMapping:
        """The tables."""
        size = self.codes.shape[1]
        tables: Any = np.rint(self.codes).astype(np.uint8 if size == 256 else np.uint16)
        return IntensityMapping(under_to_over=tables[0], over_to_under=tables[1])


def estimate_mapping(under: PixelArray, over: PixelArray, bit_depth: int) -> IntensityMapping:
    """The tables of a pair by itself; arguments as for ``estimate_curves``."""
    return estimate_curves(under, over, bit_depth).rounded()


def estimate_curves(under: PixelArray, over: PixelArray, bit_depth: int) -> Curves:
    """The curves of a pair by itself, from its histograms.

    Args:
        under: (h, w) luma code values, any subsampling of the frame.
        over: the same of the longer exposure.
        bit_depth: 8 or 10.
    """
    shares = [_shares(luma, bit_depth) for luma in (under, over)]
    ranks = [np.cumsum(share) - share / 2 for share in shares]
    return Curves(np.stack([_match(ranks[0], ranks[1]), _match(ranks[1], ranks[0])]), np.stack(shares))


def lookup(luma: PixelArray, table: Table) -> Table:
    """The entry of a table of 256 or 1024 for each pixel of a plane."""
    found: Any = cv2.LUT(luma, table) if luma.dtype == np.uint8 else np.take(table, luma, mode="clip")
    entries: Table = found
    return entries


def _shares(luma: PixelArray, bit_depth: int) -> FloatArray:
    """Share of pixels at each code value; none is 0, so that ranks strictly increase."""
    size = 1 << bit_depth
    histogram = cv2.calcHist([luma], [0], None, [size], [0, size]).astype(np.float64)
    smooth = cv2.GaussianBlur(
        histogram, (1, 0), sigmaX=0.1, sigmaY=_HISTOGRAM_SMOOTHING * size / 256, borderType=cv2.BORDER_REFLECT
    ).ravel()
    mass = smooth / smooth.sum() + 1e-9
    return np.asarray(mass / mass.sum())


def _match(source_rank: FloatArray, target_rank: FloatArray) -> FloatArray:
    """For each source code value the target code value of the same mid-rank."""
    codes = np.arange(target_rank.size, dtype=np.float64)
    seen = np.interp([_OUTLIER_SHARE, 1 - _OUTLIER_SHARE], target_rank, codes)
    return np.asarray(np.clip(np.interp(source_rank, target_rank, codes), *seen))
