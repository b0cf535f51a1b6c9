"""``StructureRevision`` row by row: the same function in float32, with the fused picture in code values."""

from __future__ import annotations

import numpy as np

from stages.compiling import kernel, part
from stages.fusion.compiled.patches import REACH, RING, average_row, pull_rows, share_row
from stages.fusion.compiled.rows import Floats, Source
from stages.fusion.strips import Work
from stages.fusion.structure import LARGEST_STEP, MOMENTUM, STEPS, StructureRevision

_MOMENTUM = np.float32(MOMENTUM)


@part
def _step(fused: Floats, target: Floats, weight: Floats, averaged: Floats, step: np.float32, revised: Floats) -> None:
    for x in range(revised.size):
        revised[x] = fused[x] + step * (target[x] - weight[x] * fused[x] + averaged[x])


@part
def _go_on(fused: Floats, before: Floats) -> None:
    """The picture before a step becomes where that step's momentum leads."""
    for x in range(before.size):
        before[x] = fused[x] + _MOMENTUM * (fused[x] - before[x])


@part
def _step_on(
    fused: Floats, target: Floats, weight: Floats, averaged: Floats, step: np.float32, revised: Floats
) -> None:
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
    shared = np.empty((RING, width), np.float32)
    bordered, averaged = np.empty(width + 2 * REACH, np.float32), np.empty(width, np.float32)
    for y in range(first - 2 * REACH, last):
        share_row(fused, pull, y + REACH, bordered, shared)
        if y < first:
            continue
        average_row(shared, y, height, bordered, averaged)
        if is_first:
            _step(fused[y], pull[0, y], pull[1, y], averaged, step, revised[y])
        else:
            _go_on(fused[y], revised[y])
            _step_on(fused[y], pull[0, y], pull[1, y], averaged, step, revised[y])


class CompiledStructure:
    """A revision of structure, its planes kept from frame to frame.

    Args:
        structure: its parameters are read once.
        sizes: (height, width) of the blend's levels.
    """

    def __init__(self, structure: StructureRevision, sizes: list[tuple[int, int]]) -> None:
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

    def pull(self, level: int, under: Source, over: Source, coding: tuple[np.float32, np.float32]) -> Work:
        """What draws a level that is revised: depends on the exposures alone.

        Args:
            level: one that is revised.
            under: (H, W) code values, clipped to the range of ``coding``.
            over: the same.
            coding: code values of black and white.
        """
        index = level - self._from
        masking, noise = np.float32(self._masking[index]), np.float32(self._noise[index])
        pull = self._planes[level][:3]
        return lambda first, last: pull_rows(under, over, first, last, coding, masking, noise, False, pull)

    def steps(self, level: int, fused: Floats) -> list[Work]:
        """The steps that revise a level's fused picture (H, W), one after the other, once it and the pull are there."""
        planes, step = self._planes[level], np.float32(self._step[level - self._from])
        # An even number of steps ends where it began.
        source, target = fused, planes[3]
        steps = []
        for taken in range(STEPS):
            steps.append(_step_work(source, planes[:3], step, taken == 0, target))
            source, target = target, source
        return steps


def _step_work(source: Floats, pull: Floats, step: np.float32, is_first: bool, target: Floats) -> Work:
    return lambda first, last: step_rows(source, pull, first, last, step, is_first, target)
