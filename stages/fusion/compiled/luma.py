"""``MultiScaleBlend`` for pictures of one size, its pyramids kept from frame to frame."""

from __future__ import annotations

import math

import numpy as np

from stages.frame import PixelArray
from stages.fusion import pyramid
from stages.fusion.blend import SHARED_FROM_LEVEL, MultiScaleBlend
from stages.fusion.compiled.blend import WINDOW_PIXELS, blend_rows
from stages.fusion.compiled.judge import CompiledJudge
from stages.fusion.compiled.resampling import resize_planes, spread_phases
from stages.fusion.compiled.rows import Floats, Source, reduce_rows
from stages.fusion.compiled.structure import CompiledStructure
from stages.fusion.strips import Strips

_LOG2_E = np.float32(math.log2(math.e))
_BEYOND = np.float32(1e30)
"""Any logit."""


class CompiledBlend:
    """A blend.

    Args:
        blend: its parameters are read once.
        size: (height, width), both at least 2 * ``pyramid.SMALLEST_SIDE``.
        small: (height, width) of the logits.
        strips: threads to work on.
    """

    def __init__(self, blend: MultiScaleBlend, size: tuple[int, int], small: tuple[int, int], strips: Strips) -> None:
        self._strips = strips
        self._sizes = pyramid.level_sizes(*size)
        self._guidance: list[list[float]] = blend.guidance.tolist()
        self._parameters = blend
        self._judges: dict[tuple[int, float], CompiledJudge] = {}
        self._contrast = blend.contrast.numpy().astype(np.float32)
        self._noise_floor: list[float] = blend.noise_floor.exp().tolist()
        self._coarser = [np.empty((3, *level), np.float32) for level in self._sizes[1:]]
        """Under, over and fused."""
        structure = blend.structure
        self._structure = None if structure is None else CompiledStructure(structure, self._sizes, strips)
        self._logits = [
            np.empty((min(height, small[0]), 2, (width + 1) // 2), np.float32) for height, width in self._sizes[:-1]
        ]

    def run(
        self, under: PixelArray, over: PixelArray, logits: Floats, fused: Floats, coding: tuple[float, float]
    ) -> None:
        """Blend two luma pictures.

        Args:
            under: (H, W) code values.
            over: the same.
            logits: (2, h, w), as for ``MultiScaleBlend``.
            fused: (H, W), filled with the coarse picture's code values.
            coding: code values of black and white, beyond which the pictures are clipped.
        """
        low, high = np.float32(coding[0]), np.float32(coding[1])
        self._run_coarser(under, over, logits, low, high)
        self._blend(0, (under, over, fused), low, high, None)

    def run_held(
        self, under: PixelArray, over: PixelArray, logits: Floats, fused: PixelArray, coding: tuple[float, float, int]
    ) -> None:
        """The same with ``hold_tones``: ``fused`` is filled with rounded code values.

        The last of ``coding`` is the largest there is.
        """
        low, high, top = (np.float32(value) for value in coding)
        self._run_coarser(under, over, logits, low, high)
        self._blend(0, (under, over, fused), low, high, top)

    def _run_coarser(
        self, under: PixelArray, over: PixelArray, logits: Floats, low: np.float32, high: np.float32
    ) -> None:
        """Under, over and fused of every level but the finest, and the finest one's logits."""
        pair: tuple[Source, Source] = (under, over)
        for level in self._coarser:
            self._reduce(pair, level, low, high)
            pair = (level[0], level[1])
        maps = logit_maps(logits, self._sizes, self._guidance)
        base = self._coarser[-1]
        last = np.empty((1, *self._sizes[-1]), np.float32)
        resize_planes(maps[-1][None], last, 0, self._sizes[-1][1])
        base[2] = base[0] + (base[1] - base[0]) / (1 + np.exp(-last[0]))
        for index in range(len(self._sizes) - 2, 0, -1):
            self._spread(index, maps[index])
            level = self._coarser[index - 1]
            self._finish(index, (level[0], level[1], level[2]), low, high)
        self._spread(0, maps[0])

    def _finish(self, index: int, pictures: tuple[Source, Source, Floats], low: np.float32, high: np.float32) -> None:
        """Blend and revise a level: its fused picture in floats."""
        self._blend(index, pictures, low, high, None)
        if self._structure is not None and self._structure.revises(index):
            self._structure.run(index, *pictures, low, high)

    def _reduce(self, pair: tuple[Source, Source], level: Floats, low: np.float32, high: np.float32) -> None:
        """Under and over of the next level."""

        def work(first: int, last: int) -> None:
            for picture, reduced in zip(pair, level[:2], strict=True):
                reduce_rows(picture, reduced, first, last, low, high)

        self._strips.run(level.shape[1], 4 * level.shape[2], work)

    def _spread(self, index: int, logits: Floats) -> None:
        """Bring a level's logits to its width."""
        target, width = self._logits[index], self._sizes[index][1]

        def work(first: int, last: int) -> None:
            spread_phases(logits, target, width, first, last, _LOG2_E)

        self._strips.run(target.shape[0], 4 * width, work)

    def _blend(
        self,
        index: int,
        pictures: tuple[Source, Source, Source],
        low: np.float32,
        high: np.float32,
        top: np.float32 | None,
    ) -> None:
        """The fused picture of a level, the third, from those of under and over and from the level below."""
        shared = min(index, SHARED_FROM_LEVEL - 1)
        judge = self._judge(shared, float(high - low))
        floor = np.float32(self._noise_floor[shared] * float(high - low) * WINDOW_PIXELS)
        contrast, coarser, logits = self._contrast[shared], self._coarser[index], self._logits[index]
        under, over, fused = pictures

        def work(first: int, last: int) -> None:
            blend_rows(under, over, coarser, logits, fused, first, last, low, high, floor, contrast, judge, top)

        self._strips.run(*self._sizes[index], work)

    def _judge(self, level: int, span: float) -> CompiledJudge | None:
        """The judge of a level, where it has one, for so many code values from black to white."""
        if level < self._parameters.judged_from:
            return None
        if (level, span) not in self._judges:
            floor = self._noise_floor[level]
            self._judges[level, span] = CompiledJudge.of(
                self._parameters, level, floor=floor, contrast_sum=WINDOW_PIXELS, span=span
            )
        return self._judges[level, span]


def logit_maps(logits: Floats, sizes: list[tuple[int, int]], guidance: list[list[float]]) -> list[Floats]:
    """The logit of every level as far as the network tells, (h, w), at most as large as the level.

    Args:
        logits: (2, h, w), as for ``MultiScaleBlend``.
        sizes: of the levels.
        guidance: how much fine and coarse logits count, by level; the last at the base.
    """
    maps = []
    for index, size in enumerate(sizes):
        if size[0] <= logits.shape[1]:
            logits = _resized(logits, size)
        fine, coarse = guidance[-1 if index == len(sizes) - 1 else min(index, SHARED_FROM_LEVEL - 1)]
        maps.append(np.float32(fine) * logits[0] + np.float32(coarse) * logits[1])
    return maps


def _resized(logits: Floats, size: tuple[int, int]) -> Floats:
    """``resize_logits``."""
    if logits.shape[1:] == size:
        return logits
    resized = np.empty((2, *size), np.float32)
    if (-(-logits.shape[1] // 2), -(-logits.shape[2] // 2)) == size:
        for plane, reduced in zip(logits, resized, strict=True):
            reduce_rows(plane, reduced, 0, size[0], -_BEYOND, _BEYOND)
    else:
        resize_planes(logits, resized, 0, size[1])
    return resized
