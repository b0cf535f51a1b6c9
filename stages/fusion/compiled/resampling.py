"""Averages and bilinear interpolation between sizes, as torch computes them."""

from __future__ import annotations

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.compiled.rows import Floats, Source


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
    size, count = source.shape[0], target.shape[0] - 2
    sums = np.empty(source.shape[1], np.float32)
    scale = np.float32(1) / (high - low)
    for index in range(first, last):
        start, after = index * size // count, -(-(index + 1) * size // count)
        sums[:] = np.float32(0)
        for y in range(start, after):
            row = source[y]
            for x in range(sums.size):
                sums[x] += min(max(np.float32(row[x]), low), high)
        _average_columns(sums, after - start, scale, -low * scale, target[index + 1, 1 : width + 1])


@kernel
def pool_planes(source: Floats, width: int, target: Floats) -> None:
    """``adaptive_avg_pool2d`` of (C, H + 2, ...) with a border of one pixel, so and so wide, into (C, h, w)."""
    size, count = source.shape[1] - 2, target.shape[1]
    sums = np.empty(width, np.float32)
    for channel in range(target.shape[0]):
        for index in range(count):
            start, after = index * size // count, -(-(index + 1) * size // count)
            sums[:] = np.float32(0)
            for y in range(start, after):
                row = source[channel, y + 1]
                for x in range(width):
                    sums[x] += row[x + 1]
            _average_columns(sums, after - start, np.float32(1), np.float32(0), target[channel, index])


@part
def _spread(row: Floats, wide: Floats) -> None:
    """Linear interpolation of a row."""
    count = row.size
    step = np.float32(count) / np.float32(wide.size)
    for x in range(wide.size):
        position = (np.float32(x) + np.float32(0.5)) * step - np.float32(0.5)
        position = min(max(position, np.float32(0)), np.float32(count - 1))
        left = int(position)
        right = min(left + 1, count - 1)
        wide[x] = row[left] + (position - np.float32(left)) * (row[right] - row[left])


@kernel
def resize_planes(source: Floats, target: Floats, border: int, width: int) -> None:
    """Bilinear interpolation of (C, h, w) into planes with a border around pictures so and so wide."""
    rows = source.shape[1]
    height = target.shape[1] - 2 * border
    step = np.float32(rows) / np.float32(height)
    wide = np.empty((rows, width), np.float32)
    for channel in range(source.shape[0]):
        for row in range(rows):
            _spread(source[channel, row], wide[row])
        for y in range(height):
            position = (np.float32(y) + np.float32(0.5)) * step - np.float32(0.5)
            position = min(max(position, np.float32(0)), np.float32(rows - 1))
            index = int(position)
            share = np.float32(position - np.float32(index))
            above, below = wide[index], wide[min(index + 1, rows - 1)]
            filled = target[channel, y + border]
            for x in range(width):
                filled[x + border] = above[x] + share * (below[x] - above[x])


@kernel
def spread_phases(source: Floats, target: Floats, width: int, first: int, last: int, factor: np.float32) -> None:
    """Linear interpolation of rows ``[first, last)`` of (h, w) to a width, times a factor.

    ``target`` is (h, 2, ceil(width/2)), even and odd columns.
    """
    wide = np.zeros(width + width % 2, np.float32)
    for y in range(first, last):
        _spread(source[y], wide[:width])
        even, odd = target[y, 0], target[y, 1]
        for j in range(even.size):
            even[j] = wide[2 * j] * factor
            odd[j] = wide[2 * j + 1] * factor
