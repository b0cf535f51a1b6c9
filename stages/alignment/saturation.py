"""The loops over a much reduced picture that say what its saturated parts are at the other exposure."""

from __future__ import annotations

import numpy as np

from stages.alignment.fill import FloatImage
from stages.alignment.standin import rise
from stages.compiling import kernel
from stages.frame import PixelArray


@kernel
def weigh_saturated(pixels: PixelArray, saturating: tuple[np.float32, np.float32], weighted: FloatImage) -> bool:
    """Writes luma and colour differences (h, w, 3) times how saturated they are, and that: (h, w, 4).

    Args:
        pixels: code values.
        saturating: luma up to which a pixel speaks for itself, and from which it is saturated.
        weighted: written to.

    Returns:
        Whether any is.
    """
    found = np.float32(0)
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            saturated = rise(np.float32(pixels[y, x, 0]), saturating)
            found = max(found, saturated)
            for channel in range(3):
                weighted[y, x, channel] = saturated * np.float32(pixels[y, x, channel])
            weighted[y, x, 3] = saturated
    return bool(found > 0)


@kernel
def map_evened(
    pixels: PixelArray,
    around: FloatImage,
    values: FloatImage,
    gains: FloatImage,
    middle: np.float32,
    faint: np.float32,
    other: PixelArray,
    mapped: FloatImage,
    miss: FloatImage,
) -> None:
    """Writes the mean of what is saturated around each pixel, at the other exposure, and what that misses.

    Args:
        pixels: (h, w, 3) code values of luma and both colour differences.
        around: (h, w, 4) means over the surroundings of what ``weigh_saturated`` wrote.
        values: for each luma code value the new one.
        gains: for each the factor on the colour differences.
        middle: code value of no colour difference.
        faint: weight of a pixel itself in that mean.
        other: (h, w, 3) the picture of the other exposure.
        mapped: (h, w, 3) written to.
        miss: (h, w, 3) written to.
    """
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            total = around[y, x, 3] + faint
            luma = (around[y, x, 0] + faint * np.float32(pixels[y, x, 0])) / total
            lower = min(int(luma), values.size - 1)
            upper, part = min(lower + 1, values.size - 1), luma - np.float32(lower)
            gain = gains[lower] + part * (gains[upper] - gains[lower])
            mapped[y, x, 0] = values[lower] + part * (values[upper] - values[lower])
            for channel in range(1, 3):
                even = (around[y, x, channel] + faint * np.float32(pixels[y, x, channel])) / total
                mapped[y, x, channel] = middle + gain * (even - middle)
            for channel in range(3):
                miss[y, x, channel] = np.float32(other[y, x, channel]) - mapped[y, x, channel]


@kernel
def correct(mapped: FloatImage, say: FloatImage, miss: FloatImage, top: np.float32, corrected: FloatImage) -> None:
    """Adds to (h, w, 3) code values what they miss, as far as that has a say (h, w); leaves (3, h, w)."""
    for y in range(say.shape[0]):
        for channel in range(3):
            row = corrected[channel, y]
            for x in range(row.size):
                value = mapped[y, x, channel] + say[y, x] * miss[y, x, channel]
                row[x] = min(max(value, np.float32(0)), top)
