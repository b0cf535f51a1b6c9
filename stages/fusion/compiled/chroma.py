"""``fuse_chroma`` row by row, on code values."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from stages.compiling import kernel, part
from stages.frame import PixelArray
from stages.fusion.chroma import CLIP_FROM, CLIP_TO, CLIPPED_CREDIT, LEAST_CREDIT, LEAST_LUMA, MOST_VIVID, SIGMA
from stages.fusion.compiled.arithmetic import exp2
from stages.fusion.compiled.rows import Floats

_REACH = 2
_ROWS = 5
"""Of the window that smooths the weights."""
_EXPONENT = np.float32(-1 / (2 * SIGMA**2 * np.log(2)))
_CLIP_FROM = np.float32(CLIP_FROM)
_CLIP_STEP = np.float32(1 / (CLIP_TO - CLIP_FROM))
_LOST = np.float32(1 - CLIPPED_CREDIT)
_LEAST = np.float32(LEAST_CREDIT)
_LEAST_LUMA = np.float32(LEAST_LUMA)
_MOST_VIVID = np.float32(MOST_VIVID)

Coding: TypeAlias = tuple[np.float32, np.float32, np.float32, np.float32]
"""Code value of black, luma's excursion, chroma's middle and excursion."""


@part
def _halve_row(above: PixelArray, below: PixelArray, coding: Coding, luma: Floats) -> None:
    """A row of luma, 0 = black, 1 = white, at chroma resolution."""
    scale = np.float32(0.25) / coding[1]
    offset = -coding[0] / coding[1]
    pairs = above.size // 2
    for j in range(pairs):
        left = np.float32(above[2 * j]) + np.float32(below[2 * j])
        right = np.float32(above[2 * j + 1]) + np.float32(below[2 * j + 1])
        luma[j] = (left + right) * scale + offset
    if above.size % 2:
        end = above.size - 1
        luma[pairs] = (np.float32(above[end]) + np.float32(below[end])) * np.float32(2) * scale + offset


@part
def _credit_row(
    luma: Floats,
    blues: PixelArray,
    reds: PixelArray,
    coding: Coding,
    matrix: tuple[np.float32, np.float32],
    credit: Floats,
) -> None:
    """How much an exposure is believed to know of colour, over 0; ``matrix`` is (K_R, K_B)."""
    kr, kb = matrix
    to_red = np.float32(2) * (np.float32(1) - kr) / coding[3]
    to_blue = np.float32(2) * (np.float32(1) - kb) / coding[3]
    green_of_red = -kr / (np.float32(1) - kr - kb)
    green_of_blue = -kb / (np.float32(1) - kr - kb)
    middle = coding[2]
    for j in range(luma.size):
        red = (np.float32(reds[j]) - middle) * to_red
        blue = (np.float32(blues[j]) - middle) * to_blue
        brightest = luma[j] + max(max(red, blue), red * green_of_red + blue * green_of_blue)
        position = min(max((brightest - _CLIP_FROM) * _CLIP_STEP, np.float32(0)), np.float32(1))
        clipped = position * position * (np.float32(3) - np.float32(2) * position)
        distance = luma[j] - np.float32(0.5)
        well_exposed = exp2(np.float32(distance * distance * _EXPONENT))
        credit[j] = well_exposed * (np.float32(1) - _LOST * clipped) + _LEAST


@part
def _sum_shares(under: Floats, over: Floats, bordered: Floats, sums: Floats) -> None:
    """Over's share of the credit, summed over the columns of the window; the border of two is zero."""
    for j in range(sums.size):
        bordered[j + 2] = over[j] / (under[j] + over[j])
    for j in range(sums.size):
        near = bordered[j + 1] + bordered[j + 2] + bordered[j + 3]
        sums[j] = near + bordered[j] + bordered[j + 4]


@part
def _mean_row(sums: Floats, per_column: Floats, rows: int, share: Floats) -> None:
    """The mean of so many rows of the window, (5, w), zero beyond the picture."""
    a, b, c, d, e = sums[0], sums[1], sums[2], sums[3], sums[4]
    per_row = np.float32(1) / np.float32(rows)
    for j in range(share.size):
        share[j] = (a[j] + b[j] + c[j] + d[j] + e[j]) * per_row * per_column[j]


@part
def _vividness_row(under: Floats, over: Floats, share: Floats, fused: Floats) -> None:
    """Times which chroma goes with fused luma, which it replaces; all lumas, 0 = black, 1 = white."""
    for j in range(share.size):
        averaged = under[j] + share[j] * (over[j] - under[j])
        ratio = (max(fused[j], np.float32(0)) + _LEAST_LUMA) / (max(averaged, np.float32(0)) + _LEAST_LUMA)
        fused[j] = min(np.sqrt(np.sqrt(ratio)), _MOST_VIVID)


@part
def _mix_row(
    under: PixelArray,
    over: PixelArray,
    share: Floats,
    vividness: Floats,
    coding: Coding,
    top: np.float32,
    fused: PixelArray,
) -> None:
    middle = coding[2]
    low = max(middle - np.float32(0.5) * coding[3], np.float32(0))
    high = min(middle + np.float32(0.5) * coding[3], top)
    for j in range(share.size):
        here = np.float32(under[j])
        averaged = here + share[j] * (np.float32(over[j]) - here)
        value = middle + vividness[j] * (averaged - middle)
        fused[j] = np.int32(min(max(value, low), high) + np.float32(0.5))


@kernel
def fuse_chroma_rows(
    lumas: tuple[PixelArray, PixelArray, PixelArray],
    chromas: tuple[PixelArray, PixelArray],
    fused: PixelArray,
    first: int,
    last: int,
    coding: Coding,
    matrix: tuple[np.float32, np.float32],
    top: np.float32,
) -> None:
    """Rows ``[first, last)`` of the fused chroma.

    Args:
        lumas: under, over and fused, (H, W) code values.
        chromas: under and over, (2, ceil(H/2), ceil(W/2)).
        fused: as a chroma.
        first: row.
        last: the row after the last.
        coding: of the code values.
        matrix: (K_R, K_B).
        top: largest code value.
    """
    width = fused.shape[2]
    sums = np.zeros((_ROWS, width), np.float32)
    bordered = np.zeros(width + 2 * _REACH, np.float32)
    halved = np.empty((_ROWS, 2, width), np.float32)
    share, vividness = np.empty(width, np.float32), np.empty(width, np.float32)
    credits = np.empty((2, width), np.float32)
    per_column = np.empty(width, np.float32)
    for x in range(width):
        per_column[x] = 1 / np.float32(min(x + _REACH, width - 1) - max(x - _REACH, 0) + 1)
    room = (halved, sums, bordered, share, vividness, credits, per_column)
    _fuse_rows(lumas, chromas, fused, first, last, coding, matrix, top, room)


@part
def _fuse_rows(
    lumas: tuple[PixelArray, PixelArray, PixelArray],
    chromas: tuple[PixelArray, PixelArray],
    fused: PixelArray,
    first: int,
    last: int,
    coding: Coding,
    matrix: tuple[np.float32, np.float32],
    top: np.float32,
    room: tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats],
) -> None:
    """The same, and where rows are worked on."""
    halved, sums, bordered, share, vividness, credits, per_column = room
    height, end = fused.shape[1], lumas[0].shape[0] - 1
    for y in range(first - _REACH, last + _REACH):
        place = (y + _ROWS) % _ROWS
        if 0 <= y < height:
            for side in range(2):
                _halve_row(lumas[side][2 * y], lumas[side][min(2 * y + 1, end)], coding, halved[place, side])
                reds, blues = chromas[side][1, y], chromas[side][0, y]
                _credit_row(halved[place, side], blues, reds, coding, matrix, credits[side])
            _sum_shares(credits[0], credits[1], bordered, sums[place])
        else:
            sums[place] = np.float32(0)
        middle = y - _REACH
        if middle >= first:
            rows = min(middle + _REACH, height - 1) - max(middle - _REACH, 0) + 1
            _mean_row(sums, per_column, rows, share)
            place = (middle + _ROWS) % _ROWS
            _halve_row(lumas[2][2 * middle], lumas[2][min(2 * middle + 1, end)], coding, vividness)
            _vividness_row(halved[place, 0], halved[place, 1], share, vividness)
            for channel in range(2):
                under, over = chromas[0][channel, middle], chromas[1][channel, middle]
                _mix_row(under, over, share, vividness, coding, top, fused[channel, middle])
