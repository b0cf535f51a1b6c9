"""Exposures that show nothing: all black or all white, as before a covered lens or far from the right exposure.

The network mixes brightness of both where contrasts say nothing, and would veil what the other exposure shows.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stages.frame import PixelArray, Planes
from stages.fusion.codes import CodeValues

MARGIN: Final = 0.015
"""Of the range: nearer to black or white than this, an area is empty."""
ENOUGH: Final = 0.001
"""Share of the areas that show something, from which an exposure counts whole: a lamp far away is something."""
AREA_PX: Final = 8
"""Along a row: an area's mean does not take noise for content. Rows in between are left out."""
_PARTS = 16
"""Of the rows, spread over the picture."""


def stand_in_for_empty(under: Planes, over: Planes, codes: CodeValues) -> tuple[Planes, Planes]:
    """Both exposures, an empty one replaced by the other; in between, by as much as it is empty.

    Args:
        under: code values.
        over: the same size and bit depth.
        codes: what they mean.
    """
    of_under, of_over = shown(under.luma, codes), shown(over.luma, codes)
    if of_under == of_over:
        return under, over
    return _mixed(over, under, of_under), _mixed(under, over, of_over)


def shown(luma: PixelArray, codes: CodeValues) -> float:
    """In [0, 1]: 0 for a picture (H, W) that is black or white everywhere, 1 for any that shows something."""
    width = luma.shape[1]
    side = min(AREA_PX, width)
    rows = luma[::AREA_PX, : width // side * side]
    margin = MARGIN * codes.luma_span
    low, high = codes.black + margin, codes.black + codes.luma_span - margin
    enough, showing = ENOUGH * rows.size / side, 0
    for part in range(_PARTS):
        areas = rows[part::_PARTS].reshape(-1, side).mean(axis=1, dtype=np.float32)
        showing += int(np.count_nonzero((areas > low) & (areas < high)))
        # Most pictures show enough in their first rows.
        if showing >= enough:
            return 1.0
    return float(showing / enough)


def _mixed(other: Planes, own: Planes, share: float) -> Planes:
    """A share of its own, the rest of the other."""
    if share in (0.0, 1.0):
        return own if share else other

    def mix(one: PixelArray, two: PixelArray) -> PixelArray:
        between = np.rint(one + np.float32(share) * (two.astype(np.float32) - one))
        return between.astype(np.uint8) if own.bit_depth == 8 else between.astype(np.uint16)

    return Planes(mix(other.luma, own.luma), mix(other.chroma, own.chroma), own.bit_depth)
