"""What both pictures of a pair show of a scene.

A camera that turns brings something into view that the frame before has not seen, and loses something else. A window
that only one of them shows bends the curve between their histograms.
"""

from __future__ import annotations

from stages.alignment.camera import coarse_shift
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import eight_bit
from stages.alignment.resampling import reduce
from stages.frame import PixelArray

_LARGEST_PX = 192
"""Long side of the pictures of which the shift is found, at most: as many pixels as make one, whole ones."""


def overlap(under: PixelArray, over: PixelArray, bit_depth: int) -> tuple[PixelArray, PixelArray]:
    """The part of each that the other shows as well, as far as a shift of the whole picture tells.

    Args:
        under: (h, w) luma code values.
        over: the same of the longer exposure.
        bit_depth: 8 or 10.
    """
    height, width = under.shape
    factor = -(-max(height, width) // _LARGEST_PX)
    here, there = (reduce(luma, max(1, height // factor), max(1, width // factor)) for luma in (under, over))
    lifted = lookup(here, estimate_mapping(here, there, bit_depth).under_to_over)
    shift = coarse_shift(eight_bit(lifted, bit_depth), eight_bit(there, bit_depth))
    x, y = (round(step * width / here.shape[1]) for step in shift)
    return (
        under[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)],
        over[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)],
    )
