"""``MultiScaleBlend`` row by row: each level of the pyramids is read and written once.

Luma stays in code values; only the noise floor knows how many of them make the full range. The local mean's division
by its count cancels between over and under, so sums serve.
"""

from __future__ import annotations

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.compiled.arithmetic import log2, sigmoid
from stages.fusion.compiled.judge import (
    CompiledJudge,
    compare_maps,
    compare_slopes,
    compare_sums,
    room_for,
    slope_row,
    weigh,
)
from stages.fusion.compiled.rows import Floats, Source, expand_row, join_floats, split_row
from stages.fusion.compiled.tones import join_held

WINDOW_PIXELS = 9
"""Of the local mean."""


@part
def band_row(source: Source, coarse: Floats, y: int, low: np.float32, high: np.float32, band: Floats) -> None:
    """Row ``y`` of the Laplacian band between a picture and the next level.

    Args:
        source: (H, W), clipped to ``low`` ... ``high``.
        coarse: (ceil(H/2), ceil(W/2)).
        y: row.
        low: code value.
        high: code value.
        band: (3, ceil(W/2) + 2): even columns, odd columns, and room for a row. Its border stays as it is.
    """
    even, odd, expanded = band[0], band[1], band[2]
    expand_row(coarse, y, expanded)
    split_row(source[y], low, high, even, odd)
    count = coarse.shape[1]
    for j in range(1, count + 1):
        even[j] -= np.float32(0.75) * expanded[j] + np.float32(0.25) * expanded[j - 1]
    for j in range(1, count + 1):
        odd[j] -= np.float32(0.75) * expanded[j] + np.float32(0.25) * expanded[j + 1]
    if source.shape[1] % 2:
        odd[count] = np.float32(0)


@part
def _sum_local_contrast(band: Floats, width: int, even_sums: Floats, odd_sums: Floats) -> None:
    """The band's magnitude summed over three columns; at the picture's edge, where there are two, made up to three.

    Args:
        band: as ``band_row`` gives it, zero beyond the picture.
        width: of the picture.
        even_sums: filled for the even columns.
        odd_sums: for the odd ones.
    """
    even, odd = band[0], band[1]
    count = even.size - 2
    for j in range(1, count + 1):
        pair = abs(even[j]) + abs(odd[j])
        even_sums[j] = pair + abs(odd[j - 1])
        odd_sums[j] = pair + abs(even[j + 1])
    even_sums[1] *= np.float32(1.5)
    if width % 2:
        even_sums[count] *= np.float32(1.5)
    else:
        odd_sums[count] *= np.float32(1.5)


@part
def _compare(above: Floats, here: Floats, below: Floats, factor: np.float32, floor: np.float32, ratio: Floats) -> None:
    """Over's local contrast by under's. Each (2, w) holds sums over columns, of under and over; ``ratio`` is (w,)."""
    under_above, under, under_below = above[0], here[0], below[0]
    over_above, over, over_below = above[1], here[1], below[1]
    for j in range(ratio.size):
        contrast = (over_above[j] + over[j] + over_below[j]) * factor + floor
        ratio[j] = contrast / ((under_above[j] + under[j] + under_below[j]) * factor + floor)


@part
def _weigh(ratio: Floats, above: Floats, below: Floats, share: np.float32, contrast: np.float32) -> None:
    """Turn the contrasts' ratio into over's weight, given the logits of the rows of the map around this one."""
    for j in range(above.size):
        logit = above[j] + share * (below[j] - above[j])
        ratio[j + 1] = sigmoid(np.float32(logit + contrast * log2(ratio[j + 1])))


@part
def _mix(under: Floats, over: Floats, weight: Floats, coarse: Floats, side: int, fused: Floats) -> None:
    """The weighted band on top of the fused level below; ``side`` is -1 for even columns and 1 for odd ones."""
    for j in range(1, fused.size - 1):
        band = under[j] + weight[j] * (over[j] - under[j])
        fused[j] = band + np.float32(0.75) * coarse[j] + np.float32(0.25) * coarse[j + side]


@part
def _next_rows(
    y: int, under: Source, over: Source, coarse: Floats, low: np.float32, high: np.float32, bands: Floats, sums: Floats
) -> None:
    """Bands and sums of row ``y``; zero beyond the picture."""
    here = y % 3
    if y < 0 or y >= under.shape[0]:
        sums[here] = 0
        return
    band_row(under, coarse[0], y, low, high, bands[here, 0])
    band_row(over, coarse[1], y, low, high, bands[here, 1])
    for exposure in range(2):
        _sum_local_contrast(bands[here, exposure], under.shape[1], sums[here, 0, exposure], sums[here, 1, exposure])


@part
def _next_slopes(
    y: int, under: Source, over: Source, low: np.float32, high: np.float32, halves: Floats, slopes: Floats
) -> None:
    """Slopes of row ``y``, beyond the picture of the nearest; (phase, exposure, ...) at index mod 3."""
    row = min(max(y, 0), under.shape[0] - 1)
    slope_row(under[row], low, high, halves, slopes[y % 3, :, 0])
    slope_row(over[row], low, high, halves, slopes[y % 3, :, 1])


@kernel
def blend_rows(
    under: Source,
    over: Source,
    coarse: Floats,
    logits: Floats,
    fused: Source,
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    floor: np.float32,
    contrast: np.float32,
    judge: CompiledJudge | None,
    is_held: bool,
    top: np.float32 | None,
) -> None:
    """Rows ``[first, last)`` of a level of the fused pyramid, collapsed this far.

    Args:
        under: (H, W), level of the Gaussian pyramid.
        over: the same.
        coarse: (3, ceil(H/2), ceil(W/2)), the next level of under, over and the fused picture.
        logits: (h, 2, ceil(W/2)), over minus under, times log2(e): rows of the map, even columns, odd columns.
        fused: (H, W).
        first: row.
        last: the row after the last.
        low: code value of black; darker ones count as this.
        high: code value of white; brighter ones count as this.
        floor: the noise floor times ``WINDOW_PIXELS``, in code values.
        contrast: how much the local one counts where nothing is judged.
        judge: of the level; None where maps and contrasts choose alone.
        is_held: whether tones are held, as at the finest level where nothing revises it.
        top: the largest code value, where ``fused`` is the result, tones held and rounded; None for floats.
    """
    width = coarse.shape[2] + 2
    bands, sums = np.zeros((3, 2, 3, width), np.float32), np.zeros((3, 2, 2, width), np.float32)
    halves, expanded, weight = np.zeros((2, width), np.float32), np.zeros(width, np.float32), np.ones(width, np.float32)
    pictures, room = (under, over, coarse, logits, fused), (bands, sums, halves, expanded, weight)
    if judge is None:
        _blend_rows(pictures, first, last, low, high, floor, contrast, None, None, room, is_held, top)
    else:
        slopes = np.zeros((3, 2, 2, 2, width), np.float32)
        compared = room_for(judge, width - 2)
        _blend_rows(pictures, first, last, low, high, floor, contrast, judge, (slopes, compared), room, is_held, top)


@part
def _blend_rows(
    pictures: tuple[Source, Source, Floats, Floats, Source],
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    floor: np.float32,
    contrast: np.float32,
    judge: CompiledJudge | None,
    judged: tuple[Floats, tuple[Floats, Floats, Floats, Floats]] | None,
    room: tuple[Floats, Floats, Floats, Floats, Floats],
    is_held: bool,
    top: np.float32 | None,
) -> None:
    """The same: under, over, coarse, logits, fused, and where rows are worked on."""
    under, over, coarse, logits, fused = pictures
    bands, sums, halves, expanded, weight = room
    height = under.shape[0]
    if judged is not None:
        slopes, (features, hidden, factors, signed) = judged
    for y in range(first - 1, last + 1):
        _next_rows(y, under, over, coarse, low, high, bands, sums)
        if judge is not None:
            _next_slopes(y, under, over, low, high, halves, slopes)
        if y <= first:
            continue
        row = y - 1
        here, above, below = row % 3, (row + 2) % 3, y % 3
        factor = np.float32(1.5) if row in (0, height - 1) else np.float32(1)
        count = logits.shape[0]
        position = (np.float32(row) + np.float32(0.5)) * np.float32(count) / np.float32(height) - np.float32(0.5)
        position = min(max(position, np.float32(0)), np.float32(count - 1))
        upper = int(position)
        lower, share = min(upper + 1, count - 1), np.float32(position - np.float32(upper))
        expand_row(coarse[2], row, expanded)
        for phase in range(2):
            if judge is not None:
                compare_maps(logits[upper, phase], logits[lower, phase], share, features, signed)
                compare_sums(sums[above, phase], sums[here, phase], sums[below, phase], factor, floor, features, signed)
                compare_slopes(
                    slopes[above, phase], slopes[here, phase], slopes[below, phase], judge.floor, features, signed
                )
                weigh(judge, features, hidden, factors, signed, weight)
            else:
                _compare(sums[above, phase], sums[here, phase], sums[below, phase], factor, floor, weight)
                _weigh(weight, logits[upper, phase], logits[lower, phase], share, contrast)
            _mix(bands[here, 0, phase], bands[here, 1, phase], weight, expanded, 2 * phase - 1, halves[phase])
        if is_held:
            join_held(halves[0], halves[1], under[row], over[row], fused[row], low, high, top)
        else:
            join_floats(halves[0], halves[1], fused[row])
