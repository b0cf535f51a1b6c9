"""``MultiScaleBlend`` for pictures of one size, its pyramids kept from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from stages.frame import PixelArray
from stages.fusion import pyramid
from stages.fusion.blend import SHARED_FROM_LEVEL, MultiScaleBlend
from stages.fusion.compiled.blend import WINDOW_PIXELS, blend_rows
from stages.fusion.compiled.judge import CompiledJudge
from stages.fusion.compiled.resampling import resize_planes, spread_phases
from stages.fusion.compiled.rows import Floats, Source, reduce_rows
from stages.fusion.compiled.structure import CompiledStructure
from stages.fusion.strips import Pass, Strips, Work, each

_LOG2_E = np.float32(math.log2(math.e))
_BEYOND = np.float32(1e30)
"""Any logit."""
_SMALL_PIXELS = 1 << 12
"""Of a level that takes about as long as handing it to a thread."""
Coding: TypeAlias = tuple[np.float32, np.float32]
"""Code values of black and white."""


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
        self._small_from = 1 + sum(math.prod(level) > _SMALL_PIXELS for level in self._sizes[1:-1])
        """The first of the levels that are done in one go; the finest is none of them."""
        self._guidance: list[list[float]] = blend.guidance.tolist()
        self._parameters = blend
        self._judges: dict[tuple[int, float], CompiledJudge] = {}
        self._contrast = blend.contrast.numpy().astype(np.float32)
        self._noise_floor: list[float] = blend.noise_floor.exp().tolist()
        self._coarser = [np.empty((3, *level), np.float32) for level in self._sizes[1:]]
        """Under, over and fused."""
        structure = blend.structure
        self._structure = None if structure is None else CompiledStructure(structure, self._sizes)
        self._logits = [
            np.empty((min(height, small[0]), 2, (width + 1) // 2), np.float32) for height, width in self._sizes[:-1]
        ]

    def _reductions(self, under: PixelArray, over: PixelArray, coding: Coding) -> list[Pass]:
        """Passes that make the exposures' pyramids; arguments as for ``passes``."""
        passes: list[Pass] = []
        pair: tuple[Source, Source] = (under, over)
        for level in self._coarser[: self._small_from - 1]:
            work = _reduction(pair, level, coding)
            passes.append(self._strips.over(level.shape[1], 4 * level.shape[2], work, after=passes[-1:]))
            pair = (level[0], level[1])
        return [*passes, each(1, lambda _: self._reduce_small(pair, coding), after_all_of=passes[-1:])]

    def passes(
        self,
        under: PixelArray,
        over: PixelArray,
        logits: Callable[[], Floats],
        fused: Source,
        coding: Coding,
        after: Sequence[Pass],
        *,
        is_held: bool,
        top: np.float32 | None,
    ) -> list[Pass]:
        """Passes that blend two luma pictures; the last makes the finest level.

        Args:
            under: (H, W) code values.
            over: the same.
            logits: gives (2, h, w), as for ``MultiScaleBlend``.
            fused: (H, W), filled with the coarse picture's code values.
            coding: code values of black and white, beyond which the pictures are clipped.
            after: passes that leave logits.
            is_held: whether tones are held.
            top: the largest code value, where ``fused`` is the result, tones held and rounded; None for floats.
        """
        reductions = self._reductions(under, over, coding)
        maps: list[Floats] = []
        found = each(1, lambda _: maps.extend(logit_maps(logits(), self._sizes, self._guidance)), after_all_of=after)
        spread = each(self._small_from, lambda index: self._spread(index, maps[index]), after_all_of=[found])
        small = each(1, lambda _: self._blend_small(maps, coding), after_all_of=[found, reductions[-1]])
        blends, pulls, last = [], [], small
        for index in range(self._small_from - 1, 0, -1):
            level, (height, width) = self._coarser[index - 1], self._sizes[index]
            work = self._blending(index, (level[0], level[1], level[2]), coding)
            blends.append(self._strips.over(height, width, work, after=[last], after_all_of=[spread]))
            if self._structure is not None and self._structure.revises(index):
                work = self._structure.pull(index, level[0], level[1], coding)
                pulls.append(self._strips.over(height, width, work, after_all_of=reductions[-1:]))
                steps = self._structure.steps(index, level[2])
                blends += self._strips.in_turn(height, width, steps, after=blends[-1:], after_all_of=pulls[-1:])
            last = blends[-1]
        work = self._blending(0, (under, over, fused), coding, is_held=is_held, top=top)
        finest = self._strips.over(*self._sizes[0], work, after=[last], after_all_of=[spread])
        # What leads to the result first; who waits for it draws meanwhile.
        return [*reductions, found, small, spread, *blends, *pulls, finest]

    def _reduce_small(self, pair: tuple[Source, Source], coding: Coding) -> None:
        """Under and over of the small levels, from those of the one before them."""
        for level in self._coarser[self._small_from - 1 :]:
            _reduction(pair, level, coding)(0, level.shape[1])
            pair = (level[0], level[1])

    def _blend_small(self, maps: list[Floats], coding: Coding) -> None:
        """The fused pictures of the small levels."""
        base = self._coarser[-1]
        last = np.empty((1, *self._sizes[-1]), np.float32)
        resize_planes(maps[-1][None], last, 0, self._sizes[-1][1])
        base[2] = base[0] + (base[1] - base[0]) / (1 + np.exp(-last[0]))
        for index in range(len(self._sizes) - 2, self._small_from - 1, -1):
            self._spread(index, maps[index])
            height, level = self._sizes[index][0], self._coarser[index - 1]
            self._blending(index, (level[0], level[1], level[2]), coding)(0, height)
            if self._structure is not None and self._structure.revises(index):
                self._structure.pull(index, level[0], level[1], coding)(0, height)
                for step in self._structure.steps(index, level[2]):
                    step(0, height)

    def _spread(self, index: int, logits: Floats) -> None:
        """Bring a level's logits to its width."""
        target = self._logits[index]
        spread_phases(logits, target, self._sizes[index][1], 0, target.shape[0], _LOG2_E)

    def _blending(
        self,
        index: int,
        pictures: tuple[Source, Source, Source],
        coding: Coding,
        *,
        is_held: bool = False,
        top: np.float32 | None = None,
    ) -> Work:
        """The fused picture of a level, the third, from those of under and over and from the level below."""
        low, high = coding
        shared = min(index, SHARED_FROM_LEVEL - 1)
        judge = self._judge(shared, float(high - low))
        floor = np.float32(self._noise_floor[shared] * float(high - low) * WINDOW_PIXELS)
        contrast, coarser, logits = self._contrast[shared], self._coarser[index], self._logits[index]
        under, over, fused = pictures
        return lambda first, last: blend_rows(
            under, over, coarser, logits, fused, first, last, low, high, floor, contrast, judge, is_held, top
        )

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


def _reduction(pair: tuple[Source, Source], level: Floats, coding: Coding) -> Work:
    """Under and over of a level, the first two of its planes, from those of the level before."""

    def work(first: int, last: int) -> None:
        for picture, reduced in zip(pair, level[:2], strict=True):
            reduce_rows(picture, reduced, first, last, *coding)

    return work


def logit_maps(logits: Floats, sizes: list[tuple[int, int]], guidance: list[list[float]]) -> list[Floats]:
    """The logit of every level as far as the network tells, (h, w), at most as high as the level.

    Args:
        logits: (2, h, w), as for ``MultiScaleBlend``.
        sizes: of the levels.
        guidance: how much fine and coarse logits count, by level; the last at the base.
    """
    maps = []
    for index, size in enumerate(sizes):
        if size[0] < logits.shape[1]:
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
