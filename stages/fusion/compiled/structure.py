"""``StructureRevision`` row by row: the same function in float32, with the fused picture in code values.

What draws a picture towards the ideal patches stays the same when a constant is added to it and to both exposures: code
values need no offset.
"""

from __future__ import annotations

import math

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.compiled.arithmetic import log2, sigmoid
from stages.fusion.compiled.rows import Floats, Source
from stages.fusion.strips import Strips
from stages.fusion.structure import (
    LARGEST_STEP,
    LEAST_SQUARED_NORM,
    LEAST_VARIANCE,
    MOMENTUM,
    MOST_CONSISTENT,
    SIMILARITY_CONSTANT,
    STRONGEST_POWER,
    TAPS,
    StructureRevision,
    steps_at,
)

_REACH = 3
"""Of the window, up and down."""
_EDGE, _OUTER, _INNER, _MIDDLE = (np.float32(tap) for tap in TAPS[: _REACH + 1])
_LEAST_VARIANCE, _LEAST_NORM = np.float32(LEAST_VARIANCE), np.float32(LEAST_SQUARED_NORM)
_MOST_CONSISTENT, _STRONGEST = np.float32(MOST_CONSISTENT), np.float32(STRONGEST_POWER)
_HALF_PI, _CUBIC = np.float32(math.pi / 2), np.float32(math.pi / 2 - 4 / math.pi)
_SIMILARITY, _MOMENTUM = np.float32(SIMILARITY_CONSTANT), np.float32(MOMENTUM)


@part
def _average_row(plane: Floats, y: int, height: int, start: int, bordered: Floats, averaged: Floats) -> None:
    """Row ``y`` averaged over the window.

    Args:
        plane: rows of a picture, from row ``start``.
        y: row.
        height: of the picture, whose border goes on beyond it.
        start: row.
        bordered: (W + 6,), room.
        averaged: (W,), filled.
    """
    above, below = plane[max(y - 1, 0) - start], plane[min(y + 1, height - 1) - start]
    above2, below2 = plane[max(y - 2, 0) - start], plane[min(y + 2, height - 1) - start]
    above3, below3 = plane[max(y - 3, 0) - start], plane[min(y + 3, height - 1) - start]
    here, width = plane[y - start], averaged.size
    for x in range(width):
        far = _EDGE * (above3[x] + below3[x]) + _OUTER * (above2[x] + below2[x])
        bordered[x + _REACH] = far + _INNER * (above[x] + below[x]) + _MIDDLE * here[x]
    for x in range(_REACH):
        bordered[x] = bordered[_REACH]
        bordered[width + _REACH + x] = bordered[width + _REACH - 1]
    for x in range(width):
        far = _EDGE * (bordered[x] + bordered[x + 6]) + _OUTER * (bordered[x + 1] + bordered[x + 5])
        averaged[x] = far + _INNER * (bordered[x + 2] + bordered[x + 4]) + _MIDDLE * bordered[x + 3]


# Loops of few arrays each: of more, the compiler does not find out that they lie apart, and makes no vectors.


@part
def _subtract_product(squares: Floats, one: Floats, other: Floats) -> None:
    for x in range(squares.size):
        squares[x] -= one[x] * other[x]


@part
def _multiply(one: Floats, other: Floats, product: Floats) -> None:
    for x in range(product.size):
        product[x] = one[x] * other[x]


@part
def _make_ideal(under: Floats, over: Floats, both: Floats) -> None:
    """``ideal_patches`` of a row: variances and covariance become coefficients and variance."""
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
        variance = max(of_under, of_over)
        gain = np.sqrt(variance / max(norm, _LEAST_NORM))
        under[x], over[x], both[x] = gain * rest * per_under, gain * share * per_over, variance


@part
def _share_out(variance: Floats, masking: np.float32, noise: np.float32) -> None:
    """How much the errors of a patch count, in place of its variance."""
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


@kernel
def pull_rows(
    under: Source,
    over: Source,
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    masking: np.float32,
    noise: np.float32,
    pull: Floats,
) -> None:
    """Rows ``[first, last)`` of what draws towards the ideal patches.

    Args:
        under: (H, W) code values, clipped to ``low`` ... ``high``.
        over: the same.
        first: row.
        last: the row after the last.
        low: code value of black.
        high: code value of white.
        masking: of the level, with SSIM's constant.
        noise: of the level.
        pull: (3, H, W), filled: ``Pull`` in code values.
    """
    height, width = under.shape
    start, stop = max(first - 2 * _REACH, 0), min(last + 2 * _REACH, height)
    # Under, over, their squares and product.
    seen = np.empty((5, stop - start, width), np.float32)
    scale = np.float32(1) / (high - low)
    for y in range(start, stop):
        one, other = seen[0, y - start], seen[1, y - start]
        for x in range(width):
            one[x] = (min(max(np.float32(under[y, x]), low), high) - low) * scale - np.float32(0.5)
        for x in range(width):
            other[x] = (min(max(np.float32(over[y, x]), low), high) - low) * scale - np.float32(0.5)
        _multiply(one, one, seen[2, y - start])
        _multiply(other, other, seen[3, y - start])
        _multiply(one, other, seen[4, y - start])
    begin, end = max(first - _REACH, 0), min(last + _REACH, height)
    # Coefficients of under and over, offset, share.
    wanted = np.empty((4, end - begin, width), np.float32)
    bordered, moments = np.empty(width + 2 * _REACH, np.float32), np.empty((5, width), np.float32)
    for y in range(begin, end):
        for index in range(5):
            _average_row(seen[index], y, height, start, bordered, moments[index])
        _subtract_product(moments[2], moments[0], moments[0])
        _subtract_product(moments[3], moments[1], moments[1])
        _subtract_product(moments[4], moments[0], moments[1])
        _make_ideal(moments[2], moments[3], moments[4])
        _share_out(moments[4], masking, noise)
        _multiply(moments[2], moments[4], wanted[0, y - begin])
        _multiply(moments[3], moments[4], wanted[1, y - begin])
        _offset(wanted[0, y - begin], wanted[1, y - begin], moments, wanted[2, y - begin])
        wanted[3, y - begin] = moments[4]
    averaged = np.empty((3, width), np.float32)
    for y in range(first, last):
        for index in range(3):
            _average_row(wanted[index], y, height, begin, bordered, averaged[index])
        _aim(seen[0, y - start], seen[1, y - start], averaged, high - low, pull[0, y])
        _average_row(wanted[3], y, height, begin, bordered, pull[1, y])
        pull[2, y] = wanted[3, y - begin]


@part
def _step(fused: Floats, pull: Floats, averaged: Floats, step: np.float32, revised: Floats) -> None:
    target, weight = pull[0], pull[1]
    for x in range(revised.size):
        revised[x] = fused[x] + step * (target[x] - weight[x] * fused[x] + averaged[x])


@part
def _go_on(fused: Floats, before: Floats) -> None:
    """The picture before a step becomes where that step's momentum leads."""
    for x in range(before.size):
        before[x] = fused[x] + _MOMENTUM * (fused[x] - before[x])


@part
def _step_on(fused: Floats, pull: Floats, averaged: Floats, step: np.float32, revised: Floats) -> None:
    target, weight = pull[0], pull[1]
    for x in range(revised.size):
        revised[x] += step * (target[x] - weight[x] * fused[x] + averaged[x])


@kernel
def step_rows(
    fused: Floats, pull: Floats, first: int, last: int, step: np.float32, is_first: bool, revised: Floats
) -> None:
    """Rows ``[first, last)`` of a picture one step on.

    Args:
        fused: (H, W) code values.
        pull: (3, H, W), from ``pull_rows``.
        first: row.
        last: the row after the last.
        step: share of the way.
        is_first: whether no step came before.
        revised: (H, W), filled; but for the first step it holds the picture before the last.
    """
    height, width = fused.shape
    begin, end = max(first - _REACH, 0), min(last + _REACH, height)
    shared = np.empty((end - begin, width), np.float32)
    bordered, averaged = np.empty(width + 2 * _REACH, np.float32), np.empty(width, np.float32)
    for y in range(begin, end):
        _average_row(fused, y, height, 0, bordered, averaged)
        _multiply(averaged, pull[2, y], shared[y - begin])
    for y in range(first, last):
        _average_row(shared, y, height, begin, bordered, averaged)
        if is_first:
            _step(fused[y], pull[:, y], averaged, step, revised[y])
        else:
            _go_on(fused[y], revised[y])
            _step_on(fused[y], pull[:, y], averaged, step, revised[y])


class CompiledStructure:
    """A revision of structure, its planes kept from frame to frame.

    Args:
        structure: its parameters are read once.
        sizes: (height, width) of the blend's levels.
        strips: threads to work on.
    """

    def __init__(self, structure: StructureRevision, sizes: list[tuple[int, int]], strips: Strips) -> None:
        self._strips = strips
        self._from = structure.revised_from
        self._step: list[float] = (LARGEST_STEP * structure.step.sigmoid()).tolist()
        self._masking: list[float] = structure.masking.exp().tolist()
        self._noise: list[float] = structure.noise.exp().tolist()
        # The base is not a band, and never revised.
        self._planes = {
            level: np.empty((4, *size), np.float32)
            for level, size in enumerate(sizes[:-1])
            if structure.revises(level, *size)
        }
        """Pull and a fused picture."""

    def revises(self, level: int) -> bool:
        """Whether a level is changed at all."""
        return level in self._planes

    def start_for(self, level: int, fused: Floats) -> Floats:
        """Where the picture to be revised belongs, so that the steps end in ``fused``."""
        return self._planes[level][3] if steps_at(level) % 2 else fused

    def run(self, level: int, under: Source, over: Source, fused: Floats, low: np.float32, high: np.float32) -> None:
        """Revise the picture that lies in ``start_for(level, fused)``.

        Args:
            level: one that is revised.
            under: (H, W) code values, clipped to ``low`` ... ``high``.
            over: the same.
            fused: (H, W), filled.
            low: code value of black.
            high: code value of white.
        """
        planes, index = self._planes[level], level - self._from
        masking, noise = np.float32(self._masking[index]) + _SIMILARITY, np.float32(self._noise[index])
        step, pull = np.float32(self._step[index]), planes[:3]
        height, width = fused.shape

        def draw(first: int, last: int) -> None:
            pull_rows(under, over, first, last, low, high, masking, noise, pull)

        # Several planes lie in between: fewer rows at a time.
        self._strips.run(height, 2 * width, draw)
        steps = steps_at(level)
        source, target = self.start_for(level, fused), fused if steps % 2 else planes[3]
        for taken in range(steps):
            _take_step(self._strips, source, pull, step, taken == 0, target)
            source, target = target, source


def _take_step(strips: Strips, source: Floats, pull: Floats, step: np.float32, is_first: bool, target: Floats) -> None:
    height, width = source.shape
    strips.run(height, width, lambda first, last: step_rows(source, pull, first, last, step, is_first, target))
