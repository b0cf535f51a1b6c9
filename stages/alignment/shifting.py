"""Fetching each pixel of pictures from where a displacement field says, between the pixels.

Neighbours along a row mostly move by the same number of whole pixels. Blocks of them are read in one go, so that a
processor does many pixels at a time; where the whole pixels change inside a block, the next block begins there and
writes over the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.alignment.blend import Weight
from stages.compiling import kernel
from stages.frame import PixelArray

FloatArray = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int32]

_BLOCK_PX = 16
_SHARPNESS = np.float32(-0.75)
"""Slope of the cubic kernel at its first zero, as OpenCV has it (R. Keys, "Cubic convolution", 1981)."""
_CACHE_LINE_PX = 64
_HALF, _ONE, _TWO, _THREE = np.float32(0.5), np.float32(1), np.float32(2), np.float32(3)
_UNIT = np.float32(1 / 255)
_BIAS = 1 << 15
# Places in memory are unsigned: a signed one could count from the end, and asking costs more than the sum.
_BLOCK, _NEXT, _SECOND, _THIRD = np.uintp(_BLOCK_PX), np.uintp(1), np.uintp(2), np.uintp(3)


@kernel
def shift_rows(
    sources: tuple[PixelArray, ...],
    across: FloatArray,
    down: FloatArray,
    scale: float,
    targets: tuple[PixelArray, ...],
    kept: Weight,
    top: int,
    cubic: bool,
    start: int,
    end: int,
) -> None:
    """Rows ``start`` to ``end`` - 1 of the targets; a source's border is repeated outwards.

    Args:
        sources: planes (h, w), contiguous.
        across: (h, w) displacement in x; with the scale in pixels, and shorter than 32768.
        down: (h, w) displacement in y.
        scale: factor on the displacements.
        targets: a plane (h, w) for each source, written to.
        kept: (h, w) of what the targets keep of themselves; empty for nothing.
        top: largest code value.
        cubic: keeps the sharpness that linear interpolation takes; next to the border all is linear.
        start: row.
        end: row after the last.
    """
    width = across.shape[1]
    whole, begins = np.zeros(width + _BLOCK_PX, np.int32), np.empty(width, np.int32)
    x_part, y_part = np.zeros(width + _BLOCK_PX, np.float32), np.zeros(width + _BLOCK_PX, np.float32)
    values = np.empty(width + _BLOCK_PX, np.float32)
    for y in range(start, end):
        _split(across[y], down[y], np.float32(scale), whole, x_part, y_part)
        blocks = begins[: _find_blocks(whole, width, begins)]
        for number in range(len(sources)):
            # Kept where nothing reads it, or the compiler would leave it out.
            values[-1] = _look_ahead(sources[number], y, whole[:width])
            if cubic:
                _shift_cubic(sources[number], y, whole, blocks, x_part, y_part, values)
            else:
                _shift_linear(sources[number], y, whole, blocks, x_part, y_part, values)
            if kept.size:
                _mix(values, kept[y], targets[number][y], np.float32(top))
            else:
                _store(values, targets[number][y], np.float32(top))


@kernel
def _split(
    across: FloatArray, down: FloatArray, scale: np.float32, whole: Counts, x_part: FloatArray, y_part: FloatArray
) -> None:
    """Whole pixels, those of both directions in one number, and fractions."""
    for x in range(across.size):
        to_right, to_bottom = scale * across[x], scale * down[x]
        column, row = np.floor(to_right), np.floor(to_bottom)
        x_part[x] = to_right - column
        y_part[x] = to_bottom - row
        whole[x] = (np.int32(row) << np.int32(16)) + np.int32(column) + np.int32(_BIAS)


@kernel
def _find_blocks(whole: Counts, width: int, begins: Counts) -> int:
    """How many blocks there are, and where they begin; near the border each pixel is one."""
    count = x = 0
    while x < width:
        own = whole[x]
        begins[count] = x
        count += 1
        left = x + (own & 0xFFFF) - _BIAS - 1
        if left < 0 or left + _BLOCK_PX + 3 > width:
            x += 1
            continue
        begin, change = np.uintp(x), np.int32(0)
        for step in range(_BLOCK):
            change |= whole[begin + step] ^ own
        stop = x + _BLOCK_PX
        x = stop if change == 0 else x + 1
        while x < stop and whole[x] == own:
            x += 1
    return count


@kernel
def _look_ahead(source: PixelArray, y: int, whole: Counts) -> np.float32:
    """Fetches into the cache what the next row is the first to need: along a slanted row no processor foresees it."""
    height, width = source.shape
    total = 0
    for x in range(0, width, _CACHE_LINE_PX):
        row, column = y + (whole[x] >> 16) + 3, x + (whole[x] & 0xFFFF) - _BIAS
        total += int(source[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])
    return np.float32(total)


@kernel
def _shift_cubic(
    source: PixelArray,
    y: int,
    whole: Counts,
    blocks: Counts,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    height, width = source.shape
    pixels = source.reshape(-1)
    for x in blocks:
        row, left = y + (whole[x] >> 16), x + (whole[x] & 0xFFFF) - _BIAS - 1
        if left < 0 or left + _BLOCK_PX + 3 > width:
            values[x] = _linear_pixel(source, row, left + 1, x_part[x], y_part[x])
            continue
        above = np.uintp(min(max(row - 1, 0), height - 1) * width + left)
        upper = np.uintp(min(max(row, 0), height - 1) * width + left)
        lower = np.uintp(min(max(row + 1, 0), height - 1) * width + left)
        below = np.uintp(min(max(row + 2, 0), height - 1) * width + left)
        begin = np.uintp(x)
        for step in range(_BLOCK):
            part = x_part[begin + step]
            rest = _ONE - part
            w0 = _SHARPNESS * part * rest * rest
            w1 = ((_SHARPNESS + _TWO) * part - (_SHARPNESS + _THREE)) * part * part + _ONE
            w3 = _SHARPNESS * rest * part * part
            w2 = _ONE - w0 - w1 - w3
            part = y_part[begin + step]
            rest = _ONE - part
            v0 = _SHARPNESS * part * rest * rest
            v1 = ((_SHARPNESS + _TWO) * part - (_SHARPNESS + _THREE)) * part * part + _ONE
            v3 = _SHARPNESS * rest * part * part
            v2 = _ONE - v0 - v1 - v3
            a, b, c, d = above + step, upper + step, lower + step, below + step
            first = w0 * np.float32(pixels[a]) + w1 * np.float32(pixels[a + _NEXT])
            first += w2 * np.float32(pixels[a + _SECOND]) + w3 * np.float32(pixels[a + _THIRD])
            second = w0 * np.float32(pixels[b]) + w1 * np.float32(pixels[b + _NEXT])
            second += w2 * np.float32(pixels[b + _SECOND]) + w3 * np.float32(pixels[b + _THIRD])
            third = w0 * np.float32(pixels[c]) + w1 * np.float32(pixels[c + _NEXT])
            third += w2 * np.float32(pixels[c + _SECOND]) + w3 * np.float32(pixels[c + _THIRD])
            fourth = w0 * np.float32(pixels[d]) + w1 * np.float32(pixels[d + _NEXT])
            fourth += w2 * np.float32(pixels[d + _SECOND]) + w3 * np.float32(pixels[d + _THIRD])
            values[begin + step] = v0 * first + v1 * second + v2 * third + v3 * fourth


@kernel
def _shift_linear(
    source: PixelArray,
    y: int,
    whole: Counts,
    blocks: Counts,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    height, width = source.shape
    pixels = source.reshape(-1)
    for x in blocks:
        row, left = y + (whole[x] >> 16), x + (whole[x] & 0xFFFF) - _BIAS - 1
        if left < 0 or left + _BLOCK_PX + 3 > width:
            values[x] = _linear_pixel(source, row, left + 1, x_part[x], y_part[x])
            continue
        upper = np.uintp(min(max(row, 0), height - 1) * width + left + 1)
        lower = np.uintp(min(max(row + 1, 0), height - 1) * width + left + 1)
        begin = np.uintp(x)
        for step in range(_BLOCK):
            part = x_part[begin + step]
            pixel = np.float32(pixels[upper + step])
            value = pixel + part * (np.float32(pixels[upper + step + _NEXT]) - pixel)
            pixel = np.float32(pixels[lower + step])
            below = pixel + part * (np.float32(pixels[lower + step + _NEXT]) - pixel)
            values[begin + step] = value + y_part[begin + step] * (below - value)


@kernel
def _linear_pixel(source: PixelArray, row: int, column: int, x_part: np.float32, y_part: np.float32) -> np.float32:
    """Between four pixels, of which the given one is the upper left."""
    height, width = source.shape
    upper, lower = min(max(row, 0), height - 1), min(max(row + 1, 0), height - 1)
    left, right = min(max(column, 0), width - 1), min(max(column + 1, 0), width - 1)
    above, below = np.float32(source[upper, left]), np.float32(source[lower, left])
    above += x_part * (np.float32(source[upper, right]) - above)
    below += x_part * (np.float32(source[lower, right]) - below)
    return np.float32(above + y_part * (below - above))


@kernel
def _store(values: FloatArray, target: PixelArray, top: np.float32) -> None:
    """Rounds to code values."""
    for x in range(target.size):
        target[x] = np.int32(min(max(values[x] + _HALF, np.float32(0)), top))


@kernel
def _mix(values: FloatArray, weight: Weight, target: PixelArray, top: np.float32) -> None:
    """Rounds to code values by what their weight leaves, 255 = nothing."""
    for x in range(target.size):
        value = min(max(values[x], np.float32(0)), top)
        share = np.float32(weight[x]) * _UNIT
        target[x] = np.int32(value + share * (np.float32(target[x]) - value) + _HALF)
