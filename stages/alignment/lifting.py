"""What the longer exposure makes of the shorter one's pixels.

A camera's response acts on red, green and blue alike: one curve leads each of the three from one exposure to the other.
Luma, which is mixed of them, has no such curve in colours: where one of the three is white it cannot grow, and a bent
curve does not lead a mixture to the mixture. Between the lumas of a colourful scene the best curve is off by tens of
code values, which looks like another thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.intensity import lookup
from stages.alignment.levels import Levels
from stages.alignment.overlap import Shift, shared
from stages.alignment.resampling import reduce, resize
from stages.alignment.tracking import MappingTracker
from stages.compiling import kernel, part
from stages.frame import ColorTags, ExposurePair, PixelArray

FloatArray = npt.NDArray[np.float32]

_COLORED_SHARE = np.float32(0.05)
"""Of the range from black to white: of fainter colours luma follows the curve of grey."""
_COLORFUL_SHARE = 0.15
_FEWEST_COLORFUL = 0.02
"""Share of the pixels that must have colour differences of the former to make a scene colourful."""
_TONES_PX = 160
"""Long side of the pictures whose tones are compared."""
_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A frame at the working size."""

    luma: PixelArray
    """(h, w) code values."""
    chroma: PixelArray
    """(2, ...) of the same picture, about half as high and wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """An under frame in the over frame's intensities, and what brings it there."""

    luma: PixelArray
    """(h, w) code values at the working size."""
    curve: PixelArray
    """For each luma code value of grey that of the longer exposure."""
    excess: FloatArray | None
    """(any height, any width) code values that the luma of the frame's colours then has above that of grey; None
    where the scene is not colourful."""
    limits: FloatArray
    """Black, white, grey."""

    def again(self, under: PixelArray) -> PixelArray:
        """Another luma of the same frame, brought there by the same."""
        luma = lookup(under, self.curve)
        if self.excess is not None:
            _add(resize(self.excess, *luma.shape), self.limits, luma)
        return luma


class Lifter:
    """Brings the under frames of a stream to the over frames' intensities."""

    def __init__(self) -> None:
        self._channels = MappingTracker()

    def lift(self, pair: ExposurePair, under: Reduced, over: Reduced, curve: PixelArray, shift: Shift) -> Lifted:
        """The under frame in the over frame's intensities.

        Args:
            pair: whose frames they are.
            under: frame.
            over: frame.
            curve: for each luma code value that of the longer exposure; serves where a scene is not colourful.
            shift: from the under to the over frame, between the lumas.
        """
        color = pair.reference.color
        levels = Levels.of(color, pair.reference.planes.bit_depth)
        if not _is_colorful(over.chroma, levels):
            return Lifted(lookup(under.luma, curve), curve, None, _limits(levels))
        matrix = _Matrix.of(color, pair.reference.planes.height, levels)
        here, there = _tones(under, matrix), _tones(over, matrix)
        scale = here.shape[2] / under.luma.shape[1]
        here, there = shared(here, there, (shift[0] * scale, shift[1] * scale))
        mapping = self._channels.follow(pair, here.reshape(-1, here.shape[2]), there.reshape(-1, there.shape[2]))
        return _lifted(under, mapping.under_to_over, matrix)


def _lifted(under: Reduced, curve: PixelArray, matrix: _Matrix) -> Lifted:
    """By the curve of the channels."""
    # What colour adds to the luma of grey changes slowly with luma: that of a few pixels together will do.
    small = resize(under.luma, *under.chroma.shape[1:])
    excess = np.empty(small.shape, np.float32)
    _find_excess(small, under.chroma, curve, matrix.weights, matrix.steps, matrix.limits, excess)
    luma = lookup(under.luma, curve)
    _add(resize(excess, *luma.shape), matrix.limits, luma)
    return Lifted(luma, curve, excess, matrix.limits)


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """From luma and colour differences to red, green and blue, all as luma's code values (ITU-T H.273)."""

    weights: FloatArray
    """Of red, green and blue in luma."""
    steps: FloatArray
    """Red over luma for V; green for V and for U; blue for U."""
    limits: FloatArray
    """Black, white, grey."""

    @classmethod
    def of(cls, color: ColorTags, height: int, levels: Levels) -> _Matrix:
        red, blue = color.luma_coefficients(height=height)
        green = 1 - red - blue
        # Colour differences are those of blue and red to luma, scaled to a range of their own.
        to_red, to_blue = (levels.span / levels.chroma_span * 2 * (1 - share) for share in (red, blue))
        return cls(
            np.array([red, green, blue], np.float32),
            np.array([to_red, -to_red * red / green, -to_blue * blue / green, to_blue], np.float32),
            _limits(levels),
        )


def _limits(levels: Levels) -> FloatArray:
    return np.array([levels.black, levels.white, levels.grey], np.float32)


def _is_colorful(chroma: PixelArray, levels: Levels) -> bool:
    differences = np.abs(chroma[:, ::4, ::4].astype(np.int32) - levels.grey).sum(axis=0)
    return float(np.mean(differences > _COLORFUL_SHARE * levels.span)) > _FEWEST_COLORFUL


def _tones(frame: Reduced, matrix: _Matrix) -> PixelArray:
    """(3, h, w) red, green and blue as luma's code values, much reduced."""
    height, width = frame.luma.shape
    factor = -(-max(height, width) // _TONES_PX)
    luma = reduce(frame.luma, max(1, height // factor), max(1, width // factor))
    tones: Any = np.empty((3, *luma.shape), luma.dtype)
    _separate(luma, frame.chroma, matrix.steps, matrix.limits, tones)
    return np.asarray(tones)


@kernel
def _separate(luma: PixelArray, chroma: PixelArray, steps: FloatArray, limits: FloatArray, tones: PixelArray) -> None:
    """Writes red, green and blue."""
    height, width = luma.shape
    black, white, grey = limits
    for y in range(height):
        row = (2 * y + 1) * chroma.shape[1] // (2 * height)
        for x in range(width):
            column = (2 * x + 1) * chroma.shape[2] // (2 * width)
            u, v = np.float32(chroma[0, row, column]) - grey, np.float32(chroma[1, row, column]) - grey
            red, green, blue = _channels(np.float32(luma[y, x]), u, v, steps, black, white)
            tones[0, y, x], tones[1, y, x], tones[2, y, x] = red, green, blue


@part
def _channels(
    luma: np.float32, u: np.float32, v: np.float32, steps: FloatArray, black: np.float32, white: np.float32
) -> tuple[np.int32, np.int32, np.int32]:
    """Red, green and blue of a pixel, from black to white."""
    red, green, blue = luma + steps[0] * v, luma + steps[1] * v + steps[2] * u, luma + steps[3] * u
    return (
        np.int32(min(max(red, black), white) + _HALF),
        np.int32(min(max(green, black), white) + _HALF),
        np.int32(min(max(blue, black), white) + _HALF),
    )


@kernel
def _find_excess(
    luma: PixelArray,
    chroma: PixelArray,
    curve: PixelArray,
    weights: FloatArray,
    steps: FloatArray,
    limits: FloatArray,
    excess: FloatArray,
) -> None:
    """Writes by how much the luma of a colour, led through the channels' curve, exceeds that of grey; all (h, w)."""
    height, width = excess.shape
    black, white, grey = limits
    least = _COLORED_SHARE * (white - black)
    for y in range(height):
        for x in range(width):
            u, v = np.float32(chroma[0, y, x]) - grey, np.float32(chroma[1, y, x]) - grey
            if abs(u) + abs(v) < least:
                excess[y, x] = 0
                continue
            red, green, blue = _channels(np.float32(luma[y, x]), u, v, steps, black, white)
            total = weights[0] * np.float32(curve[np.uintp(red)])
            total += weights[1] * np.float32(curve[np.uintp(green)])
            total += weights[2] * np.float32(curve[np.uintp(blue)])
            excess[y, x] = total - np.float32(curve[np.uintp(luma[y, x])])


@kernel
def _add(excess: FloatArray, limits: FloatArray, lifted: PixelArray) -> None:
    """Adds to code values, which stay between black and white where anything is added."""
    black, white, _ = limits
    for y in range(lifted.shape[0]):
        for x in range(lifted.shape[1]):
            value = np.float32(lifted[y, x])
            moved = min(max(value + excess[y, x], min(value, black)), max(value, white))
            lifted[y, x] = np.int32(moved + _HALF)
