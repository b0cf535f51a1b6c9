"""``MultiScaleBlend`` for inference on a CPU: the same function, strip by strip, each plane walked once.

Luma stays in code values; only the noise floor knows how many of them make the full range. The local mean's
division by its count cancels between over and under, so sums serve, and borders, where fewer pixels count, are scaled.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion import phases, pyramid
from stages.fusion.lcndr import SHARED_FROM_LEVEL, MultiScaleBlend, resize_logits
from stages.fusion.plane import Level, even, even_columns, rows_of
from stages.fusion.strips import Strips

_WINDOW_PIXELS = 9
"""Of the local mean."""


class FastBlend:
    """A blend for pictures of one size; keeps its pyramids between frames.

    Args:
        blend: its parameters are read once.
        size: (height, width), both at least 2 * ``pyramid.SMALLEST_SIDE``.
        strips: threads to work on.
    """

    def __init__(self, blend: MultiScaleBlend, size: tuple[int, int], strips: Strips) -> None:
        self._mix: list[float] = torch.sigmoid(blend.mix).tolist()
        self._trust: list[float] = blend.trust.tolist()
        self._noise_floor: list[float] = blend.noise_floor.exp().tolist()
        self._strips = strips
        self._sizes = pyramid.level_sizes(*size)
        self._coarser = [Level(level) for level in self._sizes[1:]]
        self.coarse = torch.empty(2, size[0], even(size[1]) // 2)
        """The coarse picture in code values: even columns, odd columns."""

    def run(self, under: Tensor, over: Tensor, logits: Tensor, *, black: float, white: float) -> None:
        """Blend two luma pictures into ``coarse``.

        Args:
            under: (H, W) code values, uint8 or int16.
            over: the same.
            logits: (1, 2, h, w), as for ``MultiScaleBlend``.
            black: code value; darker ones count as this.
            white: code value; brighter ones count as this.
        """
        finest = _Finest(under, over, black, white)
        below: _Finest | Level = finest
        for level in self._coarser:
            self._reduce(below, level)
            below = level
        maps = logit_maps(logits, self._sizes, self._mix)
        base = self._coarser[-1]
        under_base, over_base, fused = base.pictures
        fused.copy_(torch.lerp(under_base, over_base, torch.sigmoid(_resized(maps[-1], base.size))))
        base.mend(slice(2, 3))
        for index in range(len(self._sizes) - 2, 0, -1):
            self._blend(index, self._coarser[index - 1], self._coarser[index], maps[index], white - black)
        self._blend(0, finest, self._coarser[0], maps[0], white - black)

    def _reduce(self, finer: _Finest | Level, coarser: Level) -> None:
        """Under and over of the next level."""

        def work(first: int, last: int) -> None:
            rows = finer.sources(2 * first - 1, 2 * last + 1)
            reduced = phases.reduce_columns(phases.split(phases.reduce_rows(rows)))
            torch.mul(reduced, 1 / 64, out=coarser.pictures[:2, first:last])

        self._strips.run(coarser.height, 2 * coarser.width, work)
        coarser.mend(slice(0, 2))

    def _blend(self, index: int, level: _Finest | Level, coarser: Level, logits: Tensor, span: float) -> None:
        """The fused picture of a level from that of the level below."""
        height, width = self._sizes[index]
        shared = min(index, SHARED_FROM_LEVEL - 1)
        trust = self._trust[shared]
        floor = self._noise_floor[shared] * span * _WINDOW_PIXELS
        across = even_columns(F.interpolate(logits, size=(logits.shape[-2], width), mode="bilinear")[0, 0])
        columns = phases.split(across)
        down = _interpolation(logits.shape[-2], height)

        def work(first: int, last: int) -> None:
            stop = even(last)
            coarse = phases.expand_columns(coarser.rows(first // 2 - 1, stop // 2 + 1))
            # Rows first - 1 ... stop, as pairs of an odd and an even row.
            bands = phases.split(level.sources(first - 1, stop + 1))
            expanded = coarse[:, :2]
            odd, evens = bands[..., 0::2, :], bands[..., 1::2, :]
            odd.add_(expanded[..., :-1, :], alpha=-0.75).add_(expanded[..., 1:, :], alpha=-0.25)
            evens.add_(expanded[..., 1:, :], alpha=-0.75).add_(expanded[..., :-1, :], alpha=-0.25)
            contrast = _local_sums(bands, first, height, width)[..., : last - first, :].add_(floor)
            weight = (contrast[:, 1] / contrast[:, 0]).log_()
            used = down[first:last]
            low, high = _span(first, last, height, logits.shape[-2])
            for phase in range(2):
                weight[phase].addmm_(used[:, low:high], columns[phase, low:high], beta=trust)
            weight.sigmoid_()
            inner = bands[..., 1 : 1 + last - first, :]
            fused = torch.lerp(inner[:, 0], inner[:, 1], weight)
            if last != stop:
                fused = F.pad(fused, (0, 0, 0, 1))
            phases.add_expanded_rows(fused, coarse[:, 2], 1.0)
            fused = fused[:, : last - first]
            if isinstance(level, Level):
                rows = level.bordered[2, 1 + first : 1 + last, 1:-1]
                rows[:, 0::2] = fused[0]
                rows[:, 1::2] = fused[1]
            else:
                self.coarse[:, first:last] = fused
                if width % 2:
                    self.coarse[1, first:last, -1] = fused[0, :, -1]

        self._strips.run(height, width, work)
        if isinstance(level, Level):
            level.mend(slice(2, 3))


def logit_maps(logits: Tensor, sizes: list[tuple[int, int]], mix: list[float]) -> list[Tensor]:
    """The logit of every level as far as the network tells, (1, 1, h, w), at most as large as the level.

    Args:
        logits: (1, 2, h, w), as for ``MultiScaleBlend``.
        sizes: of the levels.
        mix: share of the fine logits by level.
    """
    maps = []
    for index, size in enumerate(sizes):
        if size[0] <= logits.shape[-2]:
            at_level = resize_logits(logits, size)
            if size[0] < logits.shape[-2]:
                logits = at_level
        else:
            at_level = logits
        share = mix[min(index, SHARED_FROM_LEVEL - 1)]
        maps.append(share * at_level[:, :1] + (1 - share) * at_level[:, 1:])
    return maps


class _Finest:
    """The pictures themselves as a pyramid's finest level."""

    def __init__(self, under: Tensor, over: Tensor, black: float, white: float) -> None:
        self._pictures = (under, over)
        self._range = (int(black), int(white))

    def sources(self, first: int, last: int) -> Tensor:
        """Rows ``[first, last)`` of under and over, (2, n, even(W)) float32."""
        return torch.stack(
            [even_columns(rows_of(picture, first, last).clamp(*self._range)).float() for picture in self._pictures]
        )


def _local_sums(bands: Tensor, first: int, height: int, width: int) -> Tensor:
    """Sums of magnitude over 3 x 3 pixels, made up for those beyond the picture.

    Args:
        bands: (2, 2, n + 2, w), columns of both phases, rows ``first - 1`` ... ``first + n``.
        first: row of the picture.
        height: of the picture.
        width: of the picture.

    Returns:
        (2, 2, n, w).
    """
    magnitude = bands.abs()
    if first == 0:
        magnitude[..., 0, :] = 0
    beyond = first - 1 + magnitude.shape[-2] - height
    if beyond > 0:
        magnitude[..., -beyond:, :] = 0
    if width % 2:
        magnitude[1, ..., -1] = 0
    columns = magnitude[..., :-2, :] + magnitude[..., 1:-1, :]
    columns.add_(magnitude[..., 2:, :])
    if first == 0:
        columns[..., 0, :] *= 1.5
    if beyond > 0:
        columns[..., -beyond, :] *= 1.5
    pairs = columns[0] + columns[1]
    sums = torch.stack([pairs, pairs])
    sums[0, ..., 1:].add_(columns[1, ..., :-1])
    sums[1, ..., :-1].add_(columns[0, ..., 1:])
    sums[0, ..., 0] *= 1.5
    sums[1 - width % 2, ..., -1] *= 1.5
    return sums


def _resized(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, 1, h, w) -> (H, W)."""
    return resize_logits(logits, size)[0, 0]


def _interpolation(count: int, size: int) -> Tensor:
    """The matrix (size, count) of linear interpolation."""
    return F.interpolate(torch.eye(count)[None, None], size=(size, count), mode="bilinear")[0, 0]


def _span(first: int, last: int, size: int, count: int) -> tuple[int, int]:
    """Which of ``count`` rows interpolate rows ``[first, last)`` of ``size``."""
    low = int((first + 0.5) * count / size - 0.5)
    high = int((last - 0.5) * count / size - 0.5) + 2
    return max(low, 0), min(high, count)
