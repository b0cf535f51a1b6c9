"""``EdgeAscent`` row by row: the same function in float32, with the fused picture in code values.

Loops are of few arrays each: of more, the compiler does not find out that they lie apart, and makes no vectors.
"""

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
    LEAST_LENGTH,
    LEAST_SINE,
    LEAST_SQUARE,
    NEAREST,
    STRENGTH_MIDDLE,
    STRENGTH_SLOPE,
    WHITE,
)

_LOG2_E = np.float32(math.log2(math.e))
_STRENGTH_SLOPE, _STRENGTH_MIDDLE = np.float32(STRENGTH_SLOPE), np.float32(STRENGTH_MIDDLE)
_DIRECTION_SLOPE, _DIRECTION_MIDDLE = np.float32(DIRECTION_SLOPE), np.float32(DIRECTION_MIDDLE)
_STRENGTH_LOGIT, _DIRECTION_LOGIT = _STRENGTH_SLOPE * _LOG2_E, _DIRECTION_SLOPE * _LOG2_E
_FARTHEST, _SQUARED_LENGTH = np.float32(FARTHEST), np.float32(LEAST_LENGTH**2)
_LEAST_SQUARE = np.float32(LEAST_SQUARE)
_PER_DISTANCE, _LEAST_SQUARED_SINE = np.float32(1 / (1 - NEAREST)), np.float32(LEAST_SINE**2)
_PER_QUARTER = np.float32(2 / math.pi)
_WHITE, _PER_BRIGHTNESS = np.float32(WHITE), np.float32(1 / (WHITE - BRIGHT))
_ANY = np.float32(1e30)


@part
def _measure(edges: Floats, squared_floor: np.float32) -> None:
    """Of a row's gradient, across and down: its direction, in place, its strength and one by that."""
    across, down, strength, weakness = edges[0], edges[1], edges[2], edges[3]
    for x in range(strength.size):
        strength[x] = across[x] * across[x] + down[x] * down[x]
    for x in range(strength.size):
        per_length = np.float32(1) / np.sqrt(strength[x] + _SQUARED_LENGTH)
        across[x] *= per_length
        down[x] *= per_length
    for x in range(strength.size):
        square = strength[x] + squared_floor
        weakness[x] = np.float32(1) / np.sqrt(square)
        strength[x] = square * weakness[x]


@part
def _invert_square(edges: Floats, inverse: Floats) -> None:
    """One by the squared length of a row's directions."""
    across, down = edges[0], edges[1]
    for x in range(inverse.size):
        inverse[x] = np.float32(1) / (across[x] * across[x] + down[x] * down[x] + _LEAST_SQUARE)


@part
def _count(
    above: Source,
    here: Source,
    below: Source,
    coding: tuple[np.float32, np.float32],
    room: Floats,
    edges: Floats,
    other: Floats,
) -> None:
    """How much a row's edges count beside those of the other exposure: ``edges`` 4; ``room`` is (2, W + 2)."""
    low, high = coding
    tallest, counts = room[0], edges[4]
    for x in range(here.size):
        tallest[x + 1] = max(max(np.float32(above[x]), np.float32(here[x])), np.float32(below[x]))
    tallest[0], tallest[here.size + 1] = tallest[1], tallest[here.size]
    white, per_code = low + _WHITE * (high - low), _PER_BRIGHTNESS / (high - low)
    for x in range(1, here.size + 1):
        brightest = max(max(tallest[x - 1], tallest[x]), tallest[x + 1])
        counts[x] = min(max((white - brightest) * per_code, np.float32(0)), np.float32(1))
    weakness, strength = edges[3], other[2]
    for x in range(counts.size):
        counts[x] = max(counts[x], min(strength[x] * weakness[x], np.float32(1)))


@part
def _compare(fused: Floats, exposure: Floats, compared: Floats) -> None:
    """The ratio of strengths, fused by exposure, its inverse, and the cosine of the directions."""
    ratio, inverse, cosine = compared[0], compared[1], compared[2]
    strength, weakness_of_other = fused[2], exposure[3]
    for x in range(ratio.size):
        ratio[x] = strength[x] * weakness_of_other[x]
    weakness, strength_of_other = fused[3], exposure[2]
    for x in range(inverse.size):
        inverse[x] = weakness[x] * strength_of_other[x]
    across, other_across = fused[0], exposure[0]
    for x in range(cosine.size):
        cosine[x] = across[x] * other_across[x]
    down, other_down = fused[1], exposure[1]
    for x in range(cosine.size):
        cosine[x] += down[x] * other_down[x]


@part
def _pull(compared: Floats) -> None:
    """Ratio and cosine become how the preserved edges grow along the fused direction and along the exposure's.

    The fourth of ``compared`` is one by the squared length of the fused direction.
    """
    of_ratio, of_inverse, of_cosine = compared[0], compared[1], compared[2]
    one = np.float32(1)
    for x in range(of_ratio.size):
        ratio, inverse, cosine = of_ratio[x], of_inverse[x], of_cosine[x]
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
        turn = kept * kept * (one + weak) * turned * _DIRECTION_SLOPE * per_cosine
        of_ratio[x] = lengthen
        of_inverse[x] = turn * parallel
        of_cosine[x] = turn
    of_square = compared[3]
    for x in range(of_ratio.size):
        of_ratio[x] -= of_inverse[x] * of_square[x]


@part
def _weigh_pull(pull: Floats, counts: Floats) -> None:
    along_own, along_exposure = pull[0], pull[2]
    for x in range(counts.size):
        along_own[x] *= counts[x]
    for x in range(counts.size):
        along_exposure[x] *= counts[x]


@part
def _add_pull(fused: Floats, exposure: Floats, pull: Floats, axis: int, field: Floats) -> None:
    """``pull`` as ``_pull`` leaves it."""
    along_own, own = pull[0], fused[axis]
    for x in range(field.size):
        field[x] += along_own[x] * own[x]
    along_exposure, other = pull[2], exposure[axis]
    for x in range(field.size):
        field[x] += along_exposure[x] * other[x]


@part
def next_field(
    y: int,
    pictures: tuple[Floats, PixelArray, PixelArray],
    coding: tuple[np.float32, np.float32],
    squared_floor: np.float32,
    room: tuple[Floats, Floats, Floats],
    field: Floats,
) -> None:
    """What the gradient of row ``y`` should do to keep more, nothing beyond the picture; and how weak edges are there.

    Args:
        y: row.
        pictures: fused, under and over.
        coding: code values of black and white.
        squared_floor: of strengths.
        room: (2, W + 2); edges of the three pictures, (3, 5, W + 2), with a border of zeros; a pull, (4, W + 2).
        field: (3, W + 2), filled: across and down, whose border stays zero; one by the stronger edge.
    """
    fused, under, over = pictures
    low, high = coding
    height, width = fused.shape
    gradients, edges, pull = room
    row = min(max(y, 0), height - 1)
    above, below = max(row - 1, 0), min(row + 1, height - 1)
    unit = np.float32(1) / (high - low)
    gradient_row(under[above], under[row], under[below], unit, coding, gradients, edges[1, 0], edges[1, 1])
    gradient_row(over[above], over[row], over[below], unit, coding, gradients, edges[2, 0], edges[2, 1])
    # Whole rows, borders of zeros with them: a part of a row would be an array of any stride to the compiler.
    for exposure in range(1, 3):
        _measure(edges[exposure], squared_floor)
    _count(under[above], under[row], under[below], coding, gradients, edges[1], edges[2])
    _count(over[above], over[row], over[below], coding, gradients, edges[2], edges[1])
    weakness, of_under, of_over = field[2], edges[1, 3], edges[2, 3]
    for x in range(weakness.size):
        weakness[x] = min(of_under[x], of_over[x])
    weakness[0], weakness[width + 1] = weakness[1], weakness[width]
    field[:2] = np.float32(0)
    if y != row:
        return
    any_value = (-_ANY, _ANY)
    gradient_row(fused[above], fused[row], fused[below], unit, any_value, gradients, edges[0, 0], edges[0, 1])
    _measure(edges[0], squared_floor)
    _invert_square(edges[0], pull[3])
    for exposure in range(1, 3):
        _compare(edges[0], edges[exposure], pull)
        _pull(pull)
        _weigh_pull(pull, edges[exposure, 4])
        for axis in range(2):
            _add_pull(edges[0], edges[exposure], pull, axis, field[axis])


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
        reach = np.float32(9) / (weakness[x] + weakness[x + 1] + weakness[x + 2])
        square = reach * reach
        fall = across[x + 2] - across[x] + down[x] + np.float32(2) * down[x + 1] + down[x + 2]
        fall = min(max(fall * np.float32(0.125), -_FARTHEST), _FARTHEST)
        row[x] -= step * reach * square / (square + squared_noise) * fall
