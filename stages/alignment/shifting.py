"""Fetching each pixel of pictures from where a displacement field says, between the pixels.

Neighbours along a row mostly move by the same number of whole pixels. Such a run is read in blocks, so that a
processor does many pixels at a time; the last block reaches beyond its run, and the next run writes over the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.alignment.enlarging import RowPlace, Weight, enlarge_row, row_at
from stages.alignment.single import SHARPNESS, cubic_pixel, linear_pixel
from stages.compiling import kernel, part
from stages.frame import PixelArray

FloatArray = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int32]

BLOCK_PX = 16
"""Room behind a row."""
_CACHE_LINE_PX = 64
_HALF, _ONE, _TWO, _THREE = np.float32(0.5), np.float32(1), np.float32(2), np.float32(3)
_UNIT = np.float32(1 / 255)
BIAS = 1 << 15
"""Of the columns in numbers that stand for both directions: columns alone are never below 0."""
# Places in memory are unsigned: a signed one could count from the end, and asking costs more than the sum.
_BLOCK, _NEXT, _SECOND, _THIRD = np.uintp(BLOCK_PX), np.uintp(1), np.uintp(2), np.uintp(3)


@kernel
def shift_rows(
    sources: tuple[PixelArray, ...],
    across: FloatArray,
    down: FloatArray,
    scale: float,
    row_step: int,
    full_height: int,
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
        across: (any height, w) displacement in x; with the scale in pixels, and shorter than 32768.
        down: the same in y.
        scale: factor on the displacements.
        row_step: rows at full size from one row of the targets to the next.
        full_height: of the picture, over which the displacements' rows are spread.
        targets: a plane (h, w) for each source, written to.
        kept: (any height, w) of what the targets keep of themselves; empty for nothing.
        top: largest code value.
        cubic: keeps the sharpness that linear interpolation takes.
        start: row.
        end: row after the last.
    """
    height, width = targets[0].shape
    whole, begins = np.zeros(width + BLOCK_PX, np.int32), np.zeros(width + 1, np.int32)
    x_part, y_part = np.zeros(width + BLOCK_PX, np.float32), np.zeros(width + BLOCK_PX, np.float32)
    values = np.empty(width + BLOCK_PX, np.float32)
    share = np.empty(width, np.uint8)
    for y in range(start, end):
        _split(
            across,
            down,
            row_at(row_step * y, full_height, across.shape[0]),
            np.float32(scale),
            whole,
            x_part,
            y_part,
        )
        runs = begins[: find_runs(whole, width, begins) + 1]
        if kept.size:
            enlarge_row(kept, row_at(y, height, kept.shape[0]), share)
        for number in range(len(sources)):
            # Kept where nothing reads it, or the compiler would leave it out.
            values[-1] = _look_ahead(sources[number], y, whole[:width])
            if cubic:
                _shift_cubic(sources[number], y, whole, runs, x_part, y_part, values)
            else:
                shift_linear(sources[number], y, whole, runs, x_part, y_part, values)
            if kept.size:
                _mix(values, share, targets[number][y], np.float32(top))
            else:
                _store(values, targets[number][y], np.float32(top))


@part
def _split(
    across: FloatArray,
    down: FloatArray,
    row: RowPlace,
    scale: np.float32,
    whole: Counts,
    x_part: FloatArray,
    y_part: FloatArray,
) -> None:
    """Whole pixels, those of both directions in one number, and fractions, at a row between the rows."""
    upper, lower, part = row
    right_above, right_below, down_above, down_below = across[upper], across[lower], down[upper], down[lower]
    for x in range(across.shape[1]):
        to_right = scale * (right_above[x] + part * (right_below[x] - right_above[x]))
        to_bottom = scale * (down_above[x] + part * (down_below[x] - down_above[x]))
        column, line = np.floor(to_right), np.floor(to_bottom)
        x_part[x] = to_right - column
        y_part[x] = to_bottom - line
        whole[x] = (np.int32(line) << np.int32(16)) + np.int32(column) + np.int32(BIAS)


@part
def find_runs(whole: Counts, width: int, begins: Counts) -> int:
    """How many runs of the same whole pixels there are, and where they begin; after the last stands the width.

    Args:
        whole: (width + ``BLOCK_PX``,) rows in the upper half of a number, columns plus ``BIAS`` in the lower.
        width: of the row.
        begins: (width + 1,), filled.
    """
    whole[width:] = whole[width - 1]
    begins[0] = 0
    count = _NEXT
    for x in range(_NEXT, np.uintp(width), _BLOCK):
        differing = np.int32(0)
        for step in range(_BLOCK):
            differing |= whole[x + step] ^ whole[x + step - _NEXT]
        if differing == 0:
            continue
        for step in range(_BLOCK):
            # Written without asking: a processor would foresee no answer.
            begins[count] = np.int32(x + step)
            count += np.uintp(whole[x + step] != whole[x + step - _NEXT])
    begins[count] = width
    return int(count)


@part
def _inside(begin: int, stop: int, away: int, taps: int, width: int) -> tuple[int, int]:
    """Where the blocks of a run begin that lie inside a row of a source, and how many pixels they are.

    The last may reach beyond the run.
    """
    first = min(max(begin, -away), stop)
    room = max(width - (taps - 1) - away - first, 0) // BLOCK_PX
    return first, BLOCK_PX * min((stop - first + BLOCK_PX - 1) // BLOCK_PX, room)


@part
def _look_ahead(source: PixelArray, y: int, whole: Counts) -> np.float32:
    """Fetches into the cache what the next row is the first to need: along a slanted row no processor foresees it."""
    height, width = source.shape
    total = 0
    for x in range(0, width, _CACHE_LINE_PX):
        row, column = y + (whole[x] >> 16) + 3, x + (whole[x] & 0xFFFF) - BIAS
        total += int(source[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])
    return np.float32(total)


@part
def _shift_cubic(
    source: PixelArray,
    y: int,
    whole: Counts,
    runs: Counts,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    height, width = source.shape
    pixels = source.reshape(-1)
    for number in range(runs.size - 1):
        start, stop = int(runs[number]), int(runs[number + 1])
        row, away = y + (whole[start] >> 16), int(whole[start] & 0xFFFF) - BIAS - 1
        x, size = _inside(start, stop, away, 4, width)
        left = x + away
        if start < x:
            _shift_cubic_at_border(source, row, start + away, start, x, x_part, y_part, values)
        above = np.uintp(min(max(row - 1, 0), height - 1) * width + left)
        upper = np.uintp(min(max(row, 0), height - 1) * width + left)
        lower = np.uintp(min(max(row + 1, 0), height - 1) * width + left)
        below = np.uintp(min(max(row + 2, 0), height - 1) * width + left)
        begin = np.uintp(x)
        for step in range(np.uintp(size)):
            part = x_part[begin + step]
            rest = _ONE - part
            w0 = SHARPNESS * part * rest * rest
            w1 = ((SHARPNESS + _TWO) * part - (SHARPNESS + _THREE)) * part * part + _ONE
            w3 = SHARPNESS * rest * part * part
            w2 = _ONE - w0 - w1 - w3
            part = y_part[begin + step]
            rest = _ONE - part
            v0 = SHARPNESS * part * rest * rest
            v1 = ((SHARPNESS + _TWO) * part - (SHARPNESS + _THREE)) * part * part + _ONE
            v3 = SHARPNESS * rest * part * part
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
        if x + size < stop:
            _shift_cubic_at_border(source, row, left + size, x + size, stop, x_part, y_part, values)


@part
def _shift_cubic_at_border(
    source: PixelArray,
    row: int,
    left: int,
    begin: int,
    stop: int,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    """A block of which the first pixel takes the given column and the three after it, pixel by pixel."""
    for x in range(begin, stop):
        values[x] = cubic_pixel(source, row, left + x - begin, x_part[x], y_part[x])


@part
def shift_linear(
    source: PixelArray | FloatArray,
    y: int,
    whole: Counts,
    runs: Counts,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    """Fills a row with what lies at its places between four pixels each.

    Args:
        source: (h, w), contiguous.
        y: row.
        whole: as for ``find_runs``.
        runs: where they begin and, after the last, the width.
        x_part: what is left of the displacement in x, in [0, 1).
        y_part: the same in y.
        values: (width + ``BLOCK_PX``,), filled.
    """
    height, width = source.shape
    pixels = source.reshape(-1)
    for number in range(runs.size - 1):
        start, stop = int(runs[number]), int(runs[number + 1])
        row, away = y + (whole[start] >> 16), int(whole[start] & 0xFFFF) - BIAS
        x, size = _inside(start, stop, away, 2, width)
        left = x + away
        if start < x:
            _shift_linear_at_border(source, row, start + away, start, x, x_part, y_part, values)
        upper = np.uintp(min(max(row, 0), height - 1) * width + left)
        lower = np.uintp(min(max(row + 1, 0), height - 1) * width + left)
        begin = np.uintp(x)
        for step in range(np.uintp(size)):
            part = x_part[begin + step]
            pixel = np.float32(pixels[upper + step])
            value = pixel + part * (np.float32(pixels[upper + step + _NEXT]) - pixel)
            pixel = np.float32(pixels[lower + step])
            below = pixel + part * (np.float32(pixels[lower + step + _NEXT]) - pixel)
            values[begin + step] = value + y_part[begin + step] * (below - value)
        if x + size < stop:
            _shift_linear_at_border(source, row, left + size, x + size, stop, x_part, y_part, values)


@part
def _shift_linear_at_border(
    source: PixelArray | FloatArray,
    row: int,
    column: int,
    begin: int,
    stop: int,
    x_part: FloatArray,
    y_part: FloatArray,
    values: FloatArray,
) -> None:
    """A block of which the first pixel lies behind the given one, pixel by pixel."""
    for x in range(begin, stop):
        values[x] = linear_pixel(source, row, column + x - begin, x_part[x], y_part[x])


@part
def _store(values: FloatArray, target: PixelArray, top: np.float32) -> None:
    """Rounds to code values."""
    for x in range(target.size):
        target[x] = np.int32(min(max(values[x] + _HALF, np.float32(0)), top))


@part
def _mix(values: FloatArray, weight: Weight, target: PixelArray, top: np.float32) -> None:
    """Rounds to code values by what their weight leaves, 255 = nothing."""
    for x in range(target.size):
        value = min(max(values[x], np.float32(0)), top)
        share = np.float32(weight[x]) * _UNIT
        target[x] = np.int32(value + share * (np.float32(target[x]) - value) + _HALF)
