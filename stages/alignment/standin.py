"""Laying the reference, brought to the neighbour's exposure, over what of the neighbour is not trusted.

Most of a picture is trusted: it is walked in short pieces of rows, and those that keep all of it are passed over.
Where trust is not quite full, a pixel of luma that cannot be right is moved just so far that it can.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stages.alignment.confidence import CHECKED
from stages.alignment.enlarging import RowPlace, Weight, enlarge_piece, row_at
from stages.compiling import kernel, part
from stages.frame import PixelArray

FloatArray = npt.NDArray[np.float32]

REACH_PX = 3
"""Of the softening to each side."""
_PIECE_PX = 64
Coloring: TypeAlias = tuple[np.int32, np.int32, bool]
"""Code value of no colour difference; the sum of both differences above which a pixel is coloured; whether the
reference is lifted. A channel that clips in the longer exposure leaves luma darker there, or brighter in the shorter
one, than that of grey."""
_HALF = np.float32(0.5)
WHOLE = int(255 * CHECKED)
"""Weight, 255 = 1, from which all is kept."""
_UNIT = np.float32(1 / WHOLE)


@kernel
def lay_luma(
    reference: PixelArray,
    curve: FloatArray,
    excess: FloatArray,
    taps: FloatArray,
    saturating: tuple[np.float32, np.float32],
    continuation: FloatArray,
    plausible: PixelArray,
    chroma: PixelArray,
    coloring: Coloring,
    weight: Weight,
    target: PixelArray,
    start: int,
    end: int,
) -> None:
    """Rows ``start`` to ``end`` - 1 of luma.

    Args:
        reference: luma (h, w).
        curve: for each of its code values the new one.
        excess: (1, any height, any width) what colours add to that; empty where they add nothing.
        taps: ``REACH_PX`` + 1 weights of a symmetrical filter that softens the reference, the middle one first.
        saturating: code values of the reference up to which a pixel speaks for itself and from which it is saturated.
        continuation: (3, any height, any width) luma and both colour differences of a picture that stands in where the
            reference is saturated; empty where it is nowhere.
        plausible: (2, code values) the lowest and the highest luma for each of the reference's; empty: any.
        chroma: (2, ceil(h/2), ceil(w/2)) of the reference.
        coloring: what its colours leave open.
        weight: (any height, w) of what is kept of the target.
        target: luma of the neighbour, written to.
        start: row.
        end: row after the last.
    """
    column, tone = np.empty(_PIECE_PX + 2 * REACH_PX, np.float32), np.empty(_PIECE_PX, np.float32)
    kept = np.empty(_PIECE_PX, np.uint8)
    for y in range(start, end):
        _lay_luma_row(
            reference,
            curve,
            excess,
            taps,
            saturating,
            continuation,
            plausible,
            chroma,
            coloring,
            weight,
            target,
            y,
            kept,
            column,
            tone,
        )


@part
def _lay_luma_row(
    reference: PixelArray,
    curve: FloatArray,
    excess: FloatArray,
    taps: FloatArray,
    saturating: tuple[np.float32, np.float32],
    continuation: FloatArray,
    plausible: PixelArray,
    chroma: PixelArray,
    coloring: Coloring,
    weight: Weight,
    target: PixelArray,
    y: int,
    kept: Weight,
    column: FloatArray,
    tone: FloatArray,
) -> None:
    """One of the rows; the last three are written to, for a piece each."""
    height, width, continued = target.shape[0], target.shape[1], continuation.size > 0
    row = row_at(y, height, weight.shape[0])
    enough = 255 if plausible.size else WHOLE
    for begin in range(0, width, _PIECE_PX):
        stop = min(begin + _PIECE_PX, width)
        if _least_around(weight, row, begin, stop) >= enough:
            continue
        shares = kept[: stop - begin]
        enlarge_piece(weight, row, begin, shares)
        if plausible.size:
            colors = chroma[:, y // 2, begin // 2 :]
            _confine(reference[y, begin:stop], plausible, colors, coloring, shares, target[y, begin:stop])
        if _least(shares) >= WHOLE:
            continue
        _soften(reference, y, begin, stop, taps, column, tone)
        for step in range(stop - begin):
            tone[step] = curve[np.uintp(tone[step] + _HALF)]
        if excess.size:
            for x in range(begin, stop):
                value = tone[x - begin] + _between(excess[0], _place(excess, y, x, target))
                tone[x - begin] = min(max(value, curve[0]), curve[curve.size - 1])
        if continued:
            for x in range(begin, stop):
                saturated = rise(np.float32(reference[y, x]), saturating)
                if saturated > 0:
                    tone[x - begin] = _continue(tone[x - begin], saturated, continuation, 0, y, x, target)
        _mix(tone, shares, target[y, begin:stop])


@kernel
def lay_chroma(
    reference: PixelArray,
    luma: PixelArray,
    gains: FloatArray,
    taps: FloatArray,
    saturating: tuple[np.float32, np.float32],
    continuation: FloatArray,
    channel: int,
    top: int,
    weight: Weight,
    target: PixelArray,
    start: int,
    end: int,
) -> None:
    """Rows ``start`` to ``end`` - 1 of one colour difference.

    Args:
        reference: colour difference (h, w).
        luma: of the reference.
        gains: for each code value of luma the factor on the colour difference.
        taps: as for ``lay_luma``.
        saturating: the same.
        continuation: the same.
        channel: of ``continuation``.
        top: largest code value.
        weight: (any height, w) of what is kept of the target.
        target: colour difference of the neighbour, written to.
        start: row.
        end: row after the last.
    """
    column, tone = np.empty(_PIECE_PX + 2 * REACH_PX, np.float32), np.empty(_PIECE_PX, np.float32)
    kept = np.empty(_PIECE_PX, np.uint8)
    for y in range(start, end):
        _lay_chroma_row(
            reference, luma, gains, taps, saturating, continuation, channel, top, weight, target, y, kept, column, tone
        )


@part
def _lay_chroma_row(
    reference: PixelArray,
    luma: PixelArray,
    gains: FloatArray,
    taps: FloatArray,
    saturating: tuple[np.float32, np.float32],
    continuation: FloatArray,
    channel: int,
    top: int,
    weight: Weight,
    target: PixelArray,
    y: int,
    kept: Weight,
    column: FloatArray,
    tone: FloatArray,
) -> None:
    """One of the rows; the last three are written to, for a piece each."""
    height, width, continued = target.shape[0], target.shape[1], continuation.size > 0
    middle, highest = np.float32((top + 1) // 2), np.float32(top)
    row = row_at(y, height, weight.shape[0])
    for begin in range(0, width, _PIECE_PX):
        stop = min(begin + _PIECE_PX, width)
        if _least_around(weight, row, begin, stop) >= WHOLE:
            continue
        shares = kept[: stop - begin]
        enlarge_piece(weight, row, begin, shares)
        if _least(shares) >= WHOLE:
            continue
        _soften(reference, y, begin, stop, taps, column, tone)
        for x in range(begin, stop):
            brightness = _mean_luma(luma, y, x)
            value = middle + gains[brightness] * (tone[x - begin] - middle)
            value = min(max(value, np.float32(0)), highest)
            saturated = rise(np.float32(brightness), saturating) if continued else np.float32(0)
            if saturated > 0:
                value = _continue(value, saturated, continuation, channel, y, x, target)
            tone[x - begin] = value
        _mix(tone, shares, target[y, begin:stop])


@part
def _least_around(weight: Weight, row: RowPlace, begin: int, stop: int) -> int:
    """Of both rows between which a piece lies; it keeps no less."""
    upper, lower, _ = row
    return min(_least(weight[upper, begin:stop]), _least(weight[lower, begin:stop]))


@part
def _least(weight: Weight) -> int:
    least = np.uint8(255)
    for x in range(weight.size):
        least = min(least, weight[x])
    return int(least)


@part
def _confine(
    reference: PixelArray,
    plausible: PixelArray,
    colors: PixelArray,
    coloring: Coloring,
    weight: Weight,
    target: PixelArray,
) -> None:
    """Holds what is not fully trusted between the lowest and the highest, but for the side that its colour leaves open.

    ``colors`` begins at the first pixel, whose column is even.
    """
    lowest, highest = plausible[0], plausible[1]
    grey, least, is_lifted = coloring
    for x in range(target.size):
        if weight[x] < 255:
            code, value = np.uintp(reference[x]), target[x]
            u, v = np.int32(colors[0, x // 2]) - grey, np.int32(colors[1, x // 2]) - grey
            is_colored = abs(u) + abs(v) > least
            if not (is_colored and is_lifted):
                value = max(value, lowest[code])
            if is_lifted or not is_colored:
                value = min(value, highest[code])
            target[x] = value


@part
def _soften(
    source: PixelArray, y: int, begin: int, stop: int, taps: FloatArray, column: FloatArray, tone: FloatArray
) -> None:
    """Fills ``tone`` with the pixels from ``begin`` on, filtered along columns and rows; the border is repeated."""
    height, width = source.shape
    if taps[0] == 1:
        for x in range(begin, stop):
            tone[x - begin] = source[y, x]
        return
    left, right = begin - REACH_PX, stop + REACH_PX
    inside = left >= 0 and right <= width
    for step in range(right - left):
        column[step] = 0
    for away in range(-REACH_PX, REACH_PX + 1):
        row, tap = source[min(max(y + away, 0), height - 1)], taps[abs(away)]
        if inside:
            pixels = row[left:right]
            for step in range(pixels.size):
                column[step] += tap * np.float32(pixels[step])
        else:
            for step in range(right - left):
                column[step] += tap * np.float32(row[min(max(left + step, 0), width - 1)])
    for step in range(stop - begin):
        total = taps[0] * column[step + REACH_PX]
        for away in range(1, REACH_PX + 1):
            total += taps[away] * (column[step + REACH_PX - away] + column[step + REACH_PX + away])
        tone[step] = total


@part
def _mix(tone: FloatArray, weight: Weight, target: PixelArray) -> None:
    """Keeps of the target what the weight says."""
    for x in range(target.size):
        share = min(np.float32(weight[x]) * _UNIT, np.float32(1))
        target[x] = np.int32(tone[x] + share * (np.float32(target[x]) - tone[x]) + _HALF)


@part
def _mean_luma(luma: PixelArray, y: int, x: int) -> int:
    """Of the pixels that share a colour difference."""
    upper, left = 2 * y, 2 * x
    lower, right = min(upper + 1, luma.shape[0] - 1), min(left + 1, luma.shape[1] - 1)
    above, below = int(luma[upper, left]) + int(luma[upper, right]), int(luma[lower, left]) + int(luma[lower, right])
    return (above + below + 2) // 4


@part
def rise(value: np.float32, limits: tuple[np.float32, np.float32]) -> np.float32:
    """0 up to the first limit, 1 from the second, straight between."""
    low, high = limits
    return min(max((value - low) / (high - low), np.float32(0)), np.float32(1))


@part
def _continue(
    value: np.float32,
    saturated: np.float32,
    continuation: FloatArray,
    channel: int,
    y: int,
    x: int,
    full: PixelArray,
) -> np.float32:
    """The value of a pixel, drawn towards what its surroundings say as far as it is saturated."""
    return value + saturated * (_between(continuation[channel], _place(continuation, y, x, full)) - value)


@part
def _place(small: FloatArray, y: int, x: int, full: PixelArray) -> tuple[np.float32, np.float32]:
    """(row, column) in pictures (n, h, w) of a pixel of a full-size plane."""
    _, height, width = small.shape
    row = (np.float32(y) + _HALF) * np.float32(height) / np.float32(full.shape[0]) - _HALF
    column = (np.float32(x) + _HALF) * np.float32(width) / np.float32(full.shape[1]) - _HALF
    return min(max(row, np.float32(0)), np.float32(height - 1)), min(max(column, np.float32(0)), np.float32(width - 1))


@part
def _between(picture: FloatArray, place: tuple[np.float32, np.float32]) -> np.float32:
    """Bilinear."""
    row, column = place
    upper, left = int(row), int(column)
    lower, right = min(upper + 1, picture.shape[0] - 1), min(left + 1, picture.shape[1] - 1)
    down, across = row - np.float32(upper), column - np.float32(left)
    above = picture[upper, left] + across * (picture[upper, right] - picture[upper, left])
    below = picture[lower, left] + across * (picture[lower, right] - picture[lower, left])
    return np.float32(above + down * (below - above))
