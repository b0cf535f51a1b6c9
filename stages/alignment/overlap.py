"""What both pictures of a pair show of a scene.

A camera that turns brings something into view that the frame before has not seen, and loses something else. A window
that only one of them shows bends the curve between their histograms.
"""

from __future__ import annotations

from typing import TypeAlias

from stages.alignment.camera import coarse_shift
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import eight_bit
from stages.alignment.resampling import reduce
from stages.frame import PixelArray

Shift: TypeAlias = tuple[float, float]
"""(x, y) in pixels."""

_LARGEST_PX = 192
"""Long side of the pictures of which the shift is found, at most: as many pixels as make one, whole ones."""


def shift_between(under: PixelArray, over: PixelArray, bit_depth: int) -> Shift:
    """The shift of the whole picture from the under to the over frame, as far as there is one.

    Args:
        under: (h, w) luma code values.
        over: the same of the longer exposure.
        bit_depth: 8 or 10.
    """
    height, width = under.shape
    factor = -(-max(height, width) // _LARGEST_PX)
    here, there = (reduce(luma, max(1, height // factor), max(1, width // factor)) for luma in (under, over))
    lifted = lookup(here, estimate_mapping(here, there, bit_depth).under_to_over)
    x, y = coarse_shift(eight_bit(lifted, bit_depth), eight_bit(there, bit_depth))
    scale = width / here.shape[1]
    return x * scale, y * scale


def shared(under: PixelArray, over: PixelArray, shift: Shift) -> tuple[PixelArray, PixelArray]:
    """The part of each that the other shows as well; (..., h, w) both."""
    x, y = (round(step) for step in shift)
    height, width = under.shape[-2:]
    return (
        under[..., max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)],
        over[..., max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)],
    )
