"""``Pull`` row by row: the same function in float32, with pictures in code values.

What draws a picture towards the ideal patches stays the same when a constant is added to it and to both exposures: code
values need no offset.
"""

from __future__ import annotations

import math

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.compiled.arithmetic import log2, sigmoid
from stages.fusion.compiled.rows import Floats, Source
from stages.fusion.patches import (
    LEAST_SQUARED_NORM,
    LEAST_VARIANCE,
    MOST_CONSISTENT,
    SIMILARITY_CONSTANT,
    STRONGEST_POWER,
    TAPS,
)

REACH = 3
"""Of the window, up and down."""
RING = 8
"""Rows that are kept of what the window sees: a power of two above twice its reach."""
_EDGE, _OUTER, _INNER, _MIDDLE = (np.float32(tap) for tap in TAPS[: REACH + 1])
_LEAST_VARIANCE, _LEAST_NORM = np.float32(LEAST_VARIANCE), np.float32(LEAST_SQUARED_NORM)
_MOST_CONSISTENT, _STRONGEST = np.float32(MOST_CONSISTENT), np.float32(STRONGEST_POWER)
_HALF_PI, _CUBIC = np.float32(math.pi / 2), np.float32(math.pi / 2 - 4 / math.pi)
_SIMILARITY = np.float32(SIMILARITY_CONSTANT)


@part
def average_row(plane: Floats, y: int, height: int, bordered: Floats, averaged: Floats) -> None:
    """Row ``y`` averaged over the window.

    Args:
        plane: a picture, or a ring of its rows: row ``r`` at ``r`` modulo their number.
        y: row.
        height: of the picture, whose border goes on beyond it.
        bordered: (W + 6,), room.
        averaged: (W,), filled.
    """
    rows, end = plane.shape[0], height - 1
    above, below = plane[max(y - 1, 0) % rows], plane[min(y + 1, end) % rows]
    above2, below2 = plane[max(y - 2, 0) % rows], plane[min(y + 2, end) % rows]
    above3, below3 = plane[max(y - 3, 0) % rows], plane[min(y + 3, end) % rows]
    here, width = plane[y % rows], averaged.size
    for x in range(width):
        far = _EDGE * (above3[x] + below3[x]) + _OUTER * (above2[x] + below2[x])
        bordered[x + REACH] = far + _INNER * (above[x] + below[x]) + _MIDDLE * here[x]
    for x in range(REACH):
        bordered[x] = bordered[REACH]
        bordered[width + REACH + x] = bordered[width + REACH - 1]
    for x in range(width):
        far = _EDGE * (bordered[x] + bordered[x + 6]) + _OUTER * (bordered[x + 1] + bordered[x + 5])
        averaged[x] = far + _INNER * (bordered[x + 2] + bordered[x + 4]) + _MIDDLE * bordered[x + 3]


# Loops of few arrays each: of more, the compiler does not find out that they lie apart, and makes no vectors.


@part
def _subtract_product(squares: Floats, one: Floats, other: Floats) -> None:
    for x in range(squares.size):
        squares[x] -= one[x] * other[x]


@part
def multiply(one: Floats, other: Floats, product: Floats) -> None:
    """Of each pixel."""
    for x in range(product.size):
        product[x] = one[x] * other[x]


@part
def _see(under: Source, over: Source, coding: tuple[np.float32, np.float32], seen: Floats, row: int) -> None:
    """A row of both exposures as luma less 0.5, their squares and product, into a row of five rings."""
    low, high = coding
    scale = np.float32(1) / (high - low)
    one, other = seen[0, row], seen[1, row]
    for x in range(under.size):
        one[x] = (min(max(np.float32(under[x]), low), high) - low) * scale - np.float32(0.5)
    for x in range(over.size):
        other[x] = (min(max(np.float32(over[x]), low), high) - low) * scale - np.float32(0.5)
    multiply(one, one, seen[2, row])
    multiply(other, other, seen[3, row])
    multiply(one, other, seen[4, row])


@part
def _find_variances(moments: Floats) -> None:
    """Of means of under, over, their squares and product: the last three become variances and covariance."""
    _subtract_product(moments[2], moments[0], moments[0])
    _subtract_product(moments[3], moments[1], moments[1])
    _subtract_product(moments[4], moments[0], moments[1])


@part
def _make_ideal(under: Floats, over: Floats, both: Floats) -> None:
    """``ideal_patches`` of a row: variances become coefficients; ``both`` is the covariance."""
    for x in range(both.size):
        of_under, of_over = (
            max(under[x], np.float32(0)) + _LEAST_VARIANCE,
            max(over[x], np.float32(0)) + _LEAST_VARIANCE,
        )
        per_under, per_over = np.float32(1) / np.sqrt(of_under), np.float32(1) / np.sqrt(of_over)
        product = of_under * per_under * of_over * per_over
        lengths = of_under + of_over + np.float32(2) * product
        total = max(of_under + of_over + np.float32(2) * both[x], np.float32(0))
        squared = min(total / lengths, _MOST_CONSISTENT)
        power = np.sqrt(squared) * (_HALF_PI - _CUBIC * squared) / (np.float32(1) - squared)
        power = min(power, _STRONGEST)
        share = sigmoid(np.float32(np.float32(0.5) * power * log2(np.float32(of_over / of_under))))
        rest = np.float32(1) - share
        norm = rest * rest + share * share + np.float32(2) * share * rest * both[x] * per_under * per_over
        gain = np.sqrt(max(of_under, of_over) / max(norm, _LEAST_NORM))
        under[x], over[x] = gain * rest * per_under, gain * share * per_over


@part
def _find_ideal_variance(of_under: Floats, of_over: Floats, moments: Floats, variance: Floats) -> None:
    """Of the ideal patch; ``moments`` as ``_find_variances`` leaves them."""
    under, over, both = moments[2], moments[3], moments[4]
    for x in range(variance.size):
        variance[x] = of_under[x] * of_under[x] * under[x]
    for x in range(variance.size):
        variance[x] += of_over[x] * of_over[x] * over[x]
    for x in range(variance.size):
        variance[x] = max(variance[x] + np.float32(2) * of_under[x] * of_over[x] * both[x], _LEAST_VARIANCE)


@part
def _share_out(variance: Floats, masking: np.float32, noise: np.float32) -> None:
    """How much the errors of a patch count, in place of its variance."""
    masking += _SIMILARITY
    for x in range(variance.size):
        of = variance[x]
        variance[x] = of / (of + noise) * masking / (np.float32(2) * of + masking)


@part
def _offset(of_under: Floats, of_over: Floats, means: Floats, offset: Floats) -> None:
    under, over = means[0], means[1]
    for x in range(offset.size):
        offset[x] = of_under[x] * under[x] + of_over[x] * over[x]


@part
def _aim(under: Floats, over: Floats, averaged: Floats, span: np.float32, target: Floats) -> None:
    of_under, of_over, offset = averaged[0], averaged[1], averaged[2]
    for x in range(target.size):
        target[x] = span * (under[x] * of_under[x] + over[x] * of_over[x] - offset[x])


@part
def _want(near: Floats, wide: Floats, masking: np.float32, noise: np.float32, wanted: Floats, row: int) -> None:
    """Coefficients of under and over, offset and share, from averages in both windows, into a row of four rings."""
    _find_variances(near)
    _find_variances(wide)
    _make_ideal(wide[2], wide[3], wide[4])
    of_under, of_over, share = wanted[0, row], wanted[1, row], wanted[3, row]
    _find_ideal_variance(wide[2], wide[3], near, share)
    _share_out(share, masking, noise)
    multiply(wide[2], share, of_under)
    multiply(wide[3], share, of_over)
    _offset(of_under, of_over, near, wanted[2, row])


@kernel
def pull_rows(
    under: Source,
    over: Source,
    first: int,
    last: int,
    coding: tuple[np.float32, np.float32],
    masking: np.float32,
    noise: np.float32,
    wider: bool,
    pull: Floats,
) -> None:
    """Rows ``[first, last)`` of what draws towards the ideal patches.

    Args:
        under: (H, W) code values, clipped to black ... white.
        over: the same.
        first: row.
        last: the row after the last.
        coding: code values of black and white.
        masking: as for ``Pull.between``.
        noise: the same.
        wider: the same.
        pull: (3, H, W), filled: ``Pull`` in code values.
    """
    height, width = under.shape
    # Under, over, their squares and product; averages of them; coefficients of under and over, offset, share.
    seen, once = np.empty((5, RING, width), np.float32), np.empty((5, RING, width), np.float32)
    wanted, averaged = np.empty((4, RING, width), np.float32), np.empty((3, width), np.float32)
    near, wide = np.empty((5, width), np.float32), np.empty((5, width), np.float32)
    own = np.empty((5, 1, width), np.float32)
    bordered = np.empty(width + 2 * REACH, np.float32)
    # How far what is wanted runs ahead of what is given, averages ahead of that, and rows ahead of those.
    lead = 3 * REACH if wider else 2 * REACH
    for given in range(first - 2 * lead, last):
        y = given + lead
        if max(first - lead, 0) <= y < min(last + lead, height):
            _see(under[y], over[y], coding, seen, y % RING)
        y -= REACH
        if max(first - lead + REACH, 0) <= y < min(last + lead - REACH, height):
            for index in range(5):
                average_row(seen[index], y, height, bordered, once[index, y % RING])
        y = given + REACH
        if max(first - REACH, 0) <= y < min(last + REACH, height):
            for index in range(5):
                near[index] = once[index, y % RING]
                if wider:
                    average_row(once[index], y, height, bordered, wide[index])
                else:
                    wide[index] = near[index]
            _want(near, wide, masking, noise, wanted, y % RING)
        if given >= first:
            for index in range(3):
                average_row(wanted[index], given, height, bordered, averaged[index])
            _see(under[given], over[given], coding, own, 0)
            _aim(own[0, 0], own[1, 0], averaged, coding[1] - coding[0], pull[0, given])
            average_row(wanted[3], given, height, bordered, pull[1, given])
            pull[2, given] = wanted[3, given % RING]


@part
def share_row(fused: Floats, pull: Floats, y: int, bordered: Floats, shared: Floats) -> None:
    """Row ``y``, where there is one, averaged over the window, each pixel times its share, into a ring of rows."""
    if 0 <= y < fused.shape[0]:
        row = shared[y % RING]
        average_row(fused, y, fused.shape[0], bordered, row)
        multiply(row, pull[2, y], row)
