"""Averages and bilinear interpolation between sizes, as torch computes them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stages.compiling import kernel, part
from stages.fusion.compiled.rows import Floats, Source

Indices: TypeAlias = npt.NDArray[np.uint32]


@part
def _average_columns(sums: Floats, rows: int, scale: np.float32, offset: np.float32, averages: Floats) -> None:
    """``adaptive_avg_pool1d`` of sums of so many rows, times ``scale`` plus ``offset``."""
    size, count = sums.size, averages.size
    for index in range(count):
        first, after = index * size // count, -(-(index + 1) * size // count)
        total = np.float32(0)
        for x in range(first, after):
            total += sums[x]
        averages[index] = total / np.float32((after - first) * rows) * scale + offset


@kernel
def shrink_rows(
    source: Source, target: Floats, width: int, first: int, last: int, low: np.float32, high: np.float32
) -> None:
    """Rows ``[first, last)`` of ``adaptive_avg_pool2d`` of code values, as luma in [0, 1].

    Args:
        source: (H, W).
        target: (h + 2, ...), with a border of one pixel.
        width: of the picture in ``target``.
        first: row.
        last: the row after the last.
        low: code value of black; darker ones count as this.
        high: code value of white; brighter ones count as this.
    """
    _shrink_rows(source, target, width, first, last, low, high, np.empty(source.shape[1], np.float32))


@part
def _shrink_rows(
    source: Source,
    target: Floats,
    width: int,
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    sums: Floats,
) -> None:
    """The same, and room for a row."""
    size, count = source.shape[0], target.shape[0] - 2
    scale = np.float32(1) / (high - low)
    for index in range(first, last):
        start, after = index * size // count, -(-(index + 1) * size // count)
        sums[:] = np.float32(0)
        for y in range(start, after):
            row = source[y]
            for x in range(sums.size):
                sums[x] += min(max(np.float32(row[x]), low), high)
        _average_columns(sums, after - start, scale, -low * scale, target[index + 1, 1 : width + 1])


@part
def pool_planes(source: Floats, width: int, target: Floats, rows: int, columns: int, sums: Floats) -> None:
    """``adaptive_avg_pool2d`` to (C, rows, columns).

    Args:
        source: (C, H + 2, ...), with a border of one pixel.
        width: of the picture in ``source``.
        target: (C, 1, ...), filled row by row from 1 on.
        rows: of the result.
        columns: of the result.
        sums: room for a row of the source.
    """
    size = source.shape[1] - 2
    sums = sums[:width]
    for channel in range(target.shape[0]):
        for index in range(rows):
            start, after = index * size // rows, -(-(index + 1) * size // rows)
            sums[:] = np.float32(0)
            for y in range(start, after):
                row = source[channel, y + 1]
                for x in range(width):
                    sums[x] += row[x + 1]
            averages = target[channel, 0, 1 + index * columns : 1 + (index + 1) * columns]
            _average_columns(sums, after - start, np.float32(1), np.float32(0), averages)


@part
def _place_columns(count: int, lefts: Indices, rights: Indices, shares: Floats) -> None:
    """Between which of so many columns those of a wider row lie, and how far from the left one."""
    step = np.float32(count) / np.float32(shares.size)
    for x in range(shares.size):
        position = (np.float32(x) + np.float32(0.5)) * step - np.float32(0.5)
        position = min(max(position, np.float32(0)), np.float32(count - 1))
        left = int(position)
        lefts[x], rights[x] = left, min(left + 1, count - 1)
        shares[x] = position - np.float32(left)


@part
def _spread(row: Floats, lefts: Indices, rights: Indices, shares: Floats, wide: Floats) -> None:
    """Linear interpolation of a row."""
    for x in range(wide.size):
        left = row[lefts[x]]
        wide[x] = left + shares[x] * (row[rights[x]] - left)


@kernel
def resize_planes(source: Floats, target: Floats, border: int, width: int) -> None:
    """Bilinear interpolation of (C, h, w) into planes with a border around pictures so and so wide."""
    wide = np.empty((source.shape[1] + 1, width), np.float32)
    fill_planes(source, target, border, wide, np.empty((2, width), np.uint32))


@part
def fill_planes(source: Floats, target: Floats, border: int, wide: Floats, columns: Indices) -> None:
    """The same, and room for the rows of a plane and one more, and for two rows."""
    rows, height = source.shape[1], target.shape[1] - 2 * border
    shares, lefts, rights = wide[rows], columns[0], columns[1]
    _place_columns(source.shape[2], lefts, rights, shares)
    step = np.float32(rows) / np.float32(height)
    for channel in range(source.shape[0]):
        for row in range(rows):
            _spread(source[channel, row], lefts, rights, shares, wide[row])
        for y in range(height):
            position = (np.float32(y) + np.float32(0.5)) * step - np.float32(0.5)
            position = min(max(position, np.float32(0)), np.float32(rows - 1))
            index = int(position)
            share = np.float32(position - np.float32(index))
            above, below = wide[index], wide[min(index + 1, rows - 1)]
            filled = target[channel, y + border]
            for x in range(shares.size):
                filled[x + border] = above[x] + share * (below[x] - above[x])


@kernel
def spread_phases(source: Floats, target: Floats, width: int, first: int, last: int, factor: np.float32) -> None:
    """Linear interpolation of rows ``[first, last)`` of (h, w) to a width, times a factor.

    ``target`` is (h, 2, ceil(width/2)), even and odd columns.
    """
    room = np.zeros((2, width + width % 2), np.float32)
    _spread_phases(source, target, first, last, factor, room, np.empty((2, width), np.uint32))


@part
def _spread_phases(
    source: Floats, target: Floats, first: int, last: int, factor: np.float32, room: Floats, columns: Indices
) -> None:
    """The same, and room for two rows each."""
    width = columns.shape[1]
    wide, shares, lefts, rights = room[0], room[1, :width], columns[0], columns[1]
    _place_columns(source.shape[1], lefts, rights, shares)
    for y in range(first, last):
        _spread(source[y], lefts, rights, shares, wide[:width])
        even, odd = target[y, 0], target[y, 1]
        for j in range(even.size):
            even[j] = wide[2 * j] * factor
            odd[j] = wide[2 * j + 1] * factor
