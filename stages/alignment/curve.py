"""A picture through a curve on luma."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.alignment.crew import Crew
from stages.alignment.intensity import lookup
from stages.alignment.resampling import resize
from stages.compiling import kernel
from stages.frame import PixelArray, Planes


def through_curve(planes: Planes, curve: PixelArray, gains: npt.NDArray[np.float32], crew: Crew) -> Planes:
    """Luma by the curve, colour differences by a gain that depends on luma.

    Args:
        planes: a picture.
        curve: for each luma code value the new one.
        gains: for each luma code value the factor on the colour differences.
        crew: does it.
    """
    luma, chroma = np.empty_like(planes.luma), np.empty_like(planes.chroma)
    middle, top = np.float32((planes.max_value + 1) // 2), np.float32(planes.max_value)
    small = resize(planes.luma, *chroma.shape[1:])

    def map_luma(start: int, end: int) -> None:
        luma[start:end] = lookup(planes.luma[start:end], curve)

    def map_chroma(start: int, end: int) -> None:
        gain = lookup(small[start:end], gains)
        for source, target in zip(planes.chroma, chroma, strict=True):
            _amplify_rows(source, gain, middle, top, target, start, end)

    crew.rows((luma.shape, map_luma), (small.shape, map_chroma))
    return Planes(luma, chroma, planes.bit_depth)


@kernel
def _amplify_rows(
    source: PixelArray,
    gain: npt.NDArray[np.float32],
    middle: np.float32,
    top: np.float32,
    target: PixelArray,
    start: int,
    end: int,
) -> None:
    """Colour differences by a gain, whose rows begin at ``start``."""
    for y in range(start, end):
        for x in range(source.shape[1]):
            value = middle + gain[y - start, x] * (np.float32(source[y, x]) - middle) + np.float32(0.5)
            target[y, x] = np.int32(min(max(value, np.float32(0)), top))
