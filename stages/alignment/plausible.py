"""What the other exposure can show where the reference shows this.

Motion of thin things is never found exactly, and a pixel fetched from beside its place passes for right at the working
size. At full size the reference contradicts it: by more than its noise and the neighbour's leave open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.levels import Levels
from stages.alignment.substitute import saturating_codes
from stages.frame import PixelArray

NOISE_DEVIATIONS = 3.0
"""Of the reference."""
MARGIN = 4
"""What the neighbour's noise and the mapping leave open, in 8-bit code values of the neighbour."""


def plausible_codes(curve: PixelArray, deviation: npt.NDArray[np.float64], levels: Levels) -> PixelArray:
    """(2, 256 or 1024): the lowest and the highest luma code value for each of the reference.

    Args:
        curve: for each luma code value of the reference that of the neighbour.
        deviation: of the reference's noise, for each of its code values.
        levels: of the code values.
    """
    codes, top = np.arange(curve.size), curve.size - 1
    white = int(saturating_codes(levels)[0])
    reach = np.rint(NOISE_DEVIATIONS * deviation).astype(np.intp)
    lowest = curve[np.clip(codes - reach, 0, white)].astype(np.intp) - margin_codes(curve.size)
    highest = curve[np.minimum(codes + reach, top)].astype(np.intp) + margin_codes(curve.size)
    # What is saturated may be as bright as it likes.
    highest[codes + reach >= white] = top
    bounds: Any = np.clip(np.stack([lowest, highest]), 0, top).astype(curve.dtype)
    return np.asarray(bounds)


def margin_codes(size: int) -> int:
    """``MARGIN`` in a picture of so many code values."""
    return MARGIN * size // 256
