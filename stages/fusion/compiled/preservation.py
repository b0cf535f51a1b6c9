"""``EdgeAscent`` row by row: the same function in float32, with the fused picture in code values."""

from __future__ import annotations

import math

import numpy as np

from stages.compiling import part
from stages.frame import PixelArray
from stages.fusion.compiled.arithmetic import arc_cosine, exp2
from stages.fusion.compiled.rows import Floats, Source
from stages.fusion.compiled.sobel import gradient_row
from stages.fusion.preservation import (
    BRIGHT,
    DIRECTION_MIDDLE,
    DIRECTION_SLOPE,
    FARTHEST,
    FLOOR,
    LEAST_SINE,
    NEAREST,
    STRENGTH_MIDDLE,
    STRENGTH_SLOPE,
    WHITE,
)

_LOG2_E = np.float32(math.log2(math.e))
_STRENGTH_SLOPE, _STRENGTH_MIDDLE = np.float32(STRENGTH_SLOPE), np.float32(STRENGTH_MIDDLE)
_DIRECTION_SLOPE, _DIRECTION_MIDDLE = np.float32(DIRECTION_SLOPE), np.float32(DIRECTION_MIDDLE)
_STRENGTH_LOGIT, _DIRECTION_LOGIT = _STRENGTH_SLOPE * _LOG2_E, _DIRECTION_SLOPE * _LOG2_E
_FARTHEST, _SQUARED_FLOOR = np.float32(FARTHEST), np.float32(FLOOR**2)
_PER_DISTANCE, _LEAST_SQUARED_SINE = np.float32(1 / (1 - NEAREST)), np.float32(LEAST_SINE**2)
_PER_QUARTER = np.float32(2 / math.pi)
_WHITE, _PER_BRIGHTNESS = np.float32(WHITE), np.float32(1 / (WHITE - BRIGHT))
_ANY = np.float32(1e30)


@part
def _resolve(
    above: Source, here: Source, below: Source, coding: tuple[np.float32, np.float32], tallest: Floats, resolved: Floats
) -> None:
    """How far a row is from white, by the brightest around each pixel: both rows (W + 2,), filled from 1."""
    low, high = coding
    for x in range(here.size):
        tallest[x + 1] = max(max(np.float32(above[x]), np.float32(here[x])), np.float32(below[x]))
    tallest[0], tallest[here.size + 1] = tallest[1], tallest[here.size]
    white, per_code = low + _WHITE * (high - low), _PER_BRIGHTNESS / (high - low)
    for x in range(1, here.size + 1):
        brightest = max(max(tallest[x - 1], tallest[x]), tallest[x + 1])
        resolved[x] = min(max((white - brightest) * per_code, np.float32(0)), np.float32(1))


@part
def _pull(cosine: np.float32, ratio: np.float32, inverse: np.float32) -> tuple[np.float32, np.float32]:
    """How the preserved edges grow with length, and how with the cosine of both directions."""
    one = np.float32(1)
    nearness, parallel = min(ratio, inverse), min(max(cosine, np.float32(0)), one)
    directed = one - _PER_QUARTER * arc_cosine(parallel)
    # Of the sigmoids: 1 / (1 + e), and 1 less that is e / (1 + e).
    weak = exp2(np.float32(_STRENGTH_LOGIT * (_STRENGTH_MIDDLE - nearness)))
    turned = exp2(np.float32(_DIRECTION_LOGIT * (_DIRECTION_MIDDLE - directed)))
    kept = one / ((one + weak) * (one + turned))
    growing = one if ratio < one else -nearness * nearness
    growing *= min((one - nearness) * _PER_DISTANCE, one)
    lengthen = kept * kept * (one + turned) * weak * _STRENGTH_SLOPE * growing
    per_cosine = _PER_QUARTER * inverse / np.sqrt(max(one - parallel * parallel, _LEAST_SQUARED_SINE))
    return lengthen, kept * kept * (one + weak) * turned * _DIRECTION_SLOPE * per_cosine


@part
def _fill_field(edges: Floats, resolved: Floats, field: Floats) -> None:
    """``field`` as ``next_field`` fills it, from gradients of under, over and fused, across and down each."""
    one = np.float32(1)
    under_across, under_down, over_across, over_down = edges[0], edges[1], edges[2], edges[3]
    fused_across, fused_down, under_resolved, over_resolved = edges[4], edges[5], resolved[0], resolved[1]
    field_across, field_down, weakness = field[0], field[1], field[2]
    for x in range(weakness.size):
        square = under_across[x] * under_across[x] + under_down[x] * under_down[x]
        weak_under = one / np.sqrt(square + _SQUARED_FLOOR)
        ux, uy = under_across[x] * weak_under, under_down[x] * weak_under
        strong_under = (square + _SQUARED_FLOOR) * weak_under
        square = over_across[x] * over_across[x] + over_down[x] * over_down[x]
        weak_over = one / np.sqrt(square + _SQUARED_FLOOR)
        ox, oy = over_across[x] * weak_over, over_down[x] * weak_over
        strong_over = (square + _SQUARED_FLOOR) * weak_over
        square = fused_across[x] * fused_across[x] + fused_down[x] * fused_down[x]
        weak_fused = one / np.sqrt(square + _SQUARED_FLOOR)
        fx, fy = fused_across[x] * weak_fused, fused_down[x] * weak_fused
        strong_fused = (square + _SQUARED_FLOOR) * weak_fused
        square = fx * fx + fy * fy
        weakness[x] = min(weak_under, weak_over)
        # Written out for both exposures: a loop over them would not become vectors.
        cosine = fx * ux + fy * uy
        lengthen, turn = _pull(cosine, strong_fused * weak_under, weak_fused * strong_under)
        count = max(under_resolved[x], min(strong_over * weak_under, one))
        own, other = count * (lengthen - turn * max(cosine, np.float32(0))), count * turn * square
        across, down = own * fx + other * ux, own * fy + other * uy
        cosine = fx * ox + fy * oy
        lengthen, turn = _pull(cosine, strong_fused * weak_over, weak_fused * strong_over)
        count = max(over_resolved[x], min(strong_under * weak_over, one))
        own, other = count * (lengthen - turn * max(cosine, np.float32(0))), count * turn * square
        field_across[x] = across + own * fx + other * ox
        field_down[x] = down + own * fy + other * oy


@part
def next_field(
    y: int,
    pictures: tuple[Floats, PixelArray, PixelArray],
    coding: tuple[np.float32, np.float32],
    room: tuple[Floats, Floats, Floats],
    field: Floats,
) -> None:
    """What the gradient of row ``y`` should do to keep more, nothing beyond the picture; and how weak edges are there.

    Args:
        y: row.
        pictures: fused, under and over.
        coding: code values of black and white.
        room: (2, W + 2); gradients of the three pictures, (6, W + 2), with a border of zeros; (2, W + 2), the same.
        field: (3, W + 2), filled: across and down, whose border stays zero; one by the stronger edge.
    """
    fused, under, over = pictures
    height, width = fused.shape
    sums, edges, resolved = room
    row = min(max(y, 0), height - 1)
    above, below = max(row - 1, 0), min(row + 1, height - 1)
    unit = np.float32(1) / (coding[1] - coding[0])
    any_value = (-_ANY, _ANY)
    gradient_row(under[above], under[row], under[below], unit, coding, sums, edges[0], edges[1])
    gradient_row(over[above], over[row], over[below], unit, coding, sums, edges[2], edges[3])
    gradient_row(fused[above], fused[row], fused[below], unit, any_value, sums, edges[4], edges[5])
    _resolve(under[above], under[row], under[below], coding, sums[0], resolved[0])
    _resolve(over[above], over[row], over[below], coding, sums[0], resolved[1])
    # Whole rows, borders of zeros with them: a part of a row would be an array of any stride to the compiler.
    _fill_field(edges, resolved, field)
    weakness = field[2]
    weakness[0], weakness[width + 1] = weakness[1], weakness[width]
    if y != row:
        field[:2] = np.float32(0)


@part
def climb_row(
    above: Floats, here: Floats, below: Floats, step: np.float32, squared_noise: np.float32, sums: Floats, row: Floats
) -> None:
    """Add a step up the gradient to a row of code values.

    Args:
        above: (3, W + 2), from ``next_field``, of the row before.
        here: the same, of the row itself.
        below: the same, of the next one.
        step: share of the way, in code values.
        squared_noise: of the strength of edges.
        sums: (3, W + 2), room.
        row: (W,), changed.
    """
    across, down, weakness = sums[0], sums[1], sums[2]
    for x in range(across.size):
        across[x] = above[0, x] + np.float32(2) * here[0, x] + below[0, x]
    for x in range(down.size):
        down[x] = below[1, x] - above[1, x]
    for x in range(weakness.size):
        weakness[x] = above[2, x] + here[2, x] + below[2, x]
    for x in range(row.size):
        weak = (weakness[x] + weakness[x + 1] + weakness[x + 2]) * np.float32(1 / 9)
        fall = across[x + 2] - across[x] + down[x] + np.float32(2) * down[x + 1] + down[x + 2]
        fall = min(max(fall * np.float32(0.125), -_FARTHEST), _FARTHEST)
        row[x] -= step * fall / (weak + squared_noise * weak * weak * weak)
