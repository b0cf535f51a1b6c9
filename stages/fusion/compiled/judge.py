"""``Judge`` for a row of a level, and the gradients that it compares.

Logarithms are to base 2 and strengths in code values, sums where means are meant and squares of gradients: what that
changes lies in the numbers of the two layers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.blend import JUDGE_FEATURES, MEAN_OFFSET, MEAN_SHARE, MultiScaleBlend
from stages.fusion.compiled.arithmetic import log2, sigmoid
from stages.fusion.compiled.convolution import BLOCK_PIXELS, convolve_row, filled_channels, packed
from stages.fusion.compiled.rows import Floats, Source, split_row

_LN_2 = math.log(2)
_SOBEL_SUM = 8
"""By which Sobel's operator divides."""
_SIGNED = 3
"""What the judge weighs: the weight maps, the contrasts' ratio, the gradients'."""


class CompiledJudge(NamedTuple):
    """The judge of a level."""

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    floor: np.float32
    """The noise floor as it counts in squares of gradients."""

    @classmethod
    def of(cls, blend: MultiScaleBlend, level: int, *, floor: float, contrast_sum: float, span: float) -> CompiledJudge:
        """That of a level, which is judged.

        Args:
            blend: its parameters are read.
            level: below those that share their coefficients.
            floor: the noise floor, as a share of the full range.
            contrast_sum: pixels that a local contrast is summed over.
            span: code values from black to white.
        """
        judged = level - blend.judged_from
        first, bias, second = (
            values[judged].double().numpy() for values in (blend.judge.first, blend.judge.bias, blend.judge.second)
        )
        mean = MEAN_SHARE * _LN_2
        # The gradients' ratio and mean are of squares.
        units = np.array([_LN_2, _LN_2, mean, _LN_2 / 2, mean / 2])
        offsets = np.zeros(JUDGE_FEATURES)
        offsets[2] = MEAN_OFFSET - 2 * mean * math.log2(contrast_sum * span)
        offsets[4] = MEAN_OFFSET - 2 * mean * math.log2(_SOBEL_SUM * span)
        width = len(bias)
        first_bias = np.zeros(filled_channels(width), np.float32)
        first_bias[:width] = bias + first @ offsets
        hidden = np.zeros((_SIGNED, filled_channels(width)))
        hidden[:, :width] = second
        second_bias = np.zeros(filled_channels(_SIGNED))
        second_bias[:_SIGNED] = 1, blend.contrast[level].item(), blend.gradient[judged].item()
        hidden[2] /= 2
        second_bias[2] /= 2
        return cls(
            packed((first * units)[:, :, None, None].astype(np.float32)),
            first_bias,
            packed(hidden[:, :, None, None].astype(np.float32)),
            second_bias.astype(np.float32),
            np.float32((_SOBEL_SUM * span * floor) ** 2),
        )


@kernel
def room_for(judge: CompiledJudge, width: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Where rows of so many pixels are worked on: features, hidden, factors, (..., 1, ...); the signed."""
    stride = max(width, BLOCK_PIXELS) + 2
    hidden, factors = judge.first_bias.size, judge.second_bias.size
    return (
        np.zeros((JUDGE_FEATURES, 1, stride), np.float32),
        np.zeros((hidden, 1, stride), np.float32),
        np.zeros((factors, 1, stride), np.float32),
        np.zeros((_SIGNED, stride), np.float32),
    )


@part
def slope_row(source: Source, low: np.float32, high: np.float32, halves: Floats, slopes: Floats) -> None:
    """What Sobel's operator takes from a row.

    Args:
        source: (W,), clipped to ``low`` ... ``high``; its ends go on beyond it.
        low: code value.
        high: code value.
        halves: room for two rows.
        slopes: (2, 2, ceil(W/2) + 2), filled: for even columns and for odd ones, right minus left, and left plus twice
            here plus right.
    """
    even, odd = halves[0], halves[1]
    split_row(source, low, high, even, odd)
    count = even.size - 2
    odd[0], even[count + 1] = even[1], odd[count]
    for j in range(1, count + 1):
        slopes[0, 0, j] = odd[j] - odd[j - 1]
        slopes[0, 1, j] = odd[j - 1] + np.float32(2) * even[j] + odd[j]
    for j in range(1, count + 1):
        slopes[1, 0, j] = even[j + 1] - even[j]
        slopes[1, 1, j] = even[j] + np.float32(2) * odd[j] + even[j + 1]


@part
def _squared(above: Floats, here: Floats, below: Floats, j: int, floor: np.float32) -> np.float32:
    """Sobel's gradient magnitude, squared; rows of slopes."""
    across = above[0, j] + np.float32(2) * here[0, j] + below[0, j]
    down = below[1, j] - above[1, j]
    return np.float32(across * across + down * down + floor)


@part
def compare_slopes(
    above: Floats, here: Floats, below: Floats, floor: np.float32, features: Floats, signed: Floats
) -> None:
    """Under's and over's gradients at a row's even or odd columns; slopes are (2, 2, ...): under, over."""
    for j in range(1, above.shape[2] - 1):
        under = log2(_squared(above[0], here[0], below[0], j, floor))
        over = log2(_squared(above[1], here[1], below[1], j, floor))
        signed[2, j] = over - under
        features[3, 0, j] = abs(over - under)
        features[4, 0, j] = over + under


@part
def compare_sums(
    above: Floats,
    here: Floats,
    below: Floats,
    factor: np.float32,
    floor: np.float32,
    features: Floats,
    signed: Floats,
) -> None:
    """Under's and over's local contrasts; sums over columns, (2, w): under, over."""
    for j in range(1, above.shape[1] - 1):
        under = log2(np.float32((above[0, j] + here[0, j] + below[0, j]) * factor + floor))
        over = log2(np.float32((above[1, j] + here[1, j] + below[1, j]) * factor + floor))
        signed[1, j] = over - under
        features[1, 0, j] = abs(over - under)
        features[2, 0, j] = over + under


@part
def compare_maps(above: Floats, below: Floats, share: np.float32, features: Floats, signed: Floats) -> None:
    """The logits between two rows of the map."""
    for j in range(above.size):
        logit = above[j] + share * (below[j] - above[j])
        signed[0, j + 1] = logit
        features[0, 0, j + 1] = abs(logit)


@part
def weigh(
    judge: CompiledJudge, features: Floats, hidden: Floats, factors: Floats, signed: Floats, weight: Floats
) -> None:
    """Over's weight, from what was compared."""
    count = weight.size - 2
    convolve_row(features, judge.first, judge.first_bias, np.float32(0), hidden, 0, count)
    convolve_row(hidden, judge.second, judge.second_bias, np.float32(1), factors, 0, count)
    for j in range(1, count + 1):
        logit = factors[0, 0, j] * signed[0, j] + factors[1, 0, j] * signed[1, j] + factors[2, 0, j] * signed[2, j]
        weight[j] = sigmoid(np.float32(logit))
