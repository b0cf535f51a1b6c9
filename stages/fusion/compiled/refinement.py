"""``DetailRefinement`` row by row: the same function in float32, with the fused picture in code values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.compiling import kernel, part
from stages.frame import PixelArray
from stages.fusion import pyramid
from stages.fusion.compiled.patches import REACH, RING, average_row, pull_rows, share_row
from stages.fusion.compiled.preservation import climb_row, next_field
from stages.fusion.compiled.rows import Floats, Source, expand_row, reduce_rows
from stages.fusion.compiled.tones import hold_row
from stages.fusion.refinement import LARGEST_CLIMB, LARGEST_STEP, MOMENTUM, WIDER, DetailRefinement
from stages.fusion.strips import Pass, Strips, Work
from stages.fusion.structure import SMALLEST_SIDE

_MOMENTUM = np.float32(MOMENTUM)
_ANY = np.float32(1e30)


@part
def _draw(fused: Floats, target: Floats, weight: Floats, step: np.float32, averaged: Floats) -> None:
    """Averages of what is shared become where a row is drawn, times ``step``."""
    for x in range(averaged.size):
        averaged[x] = step * (target[x] - weight[x] * fused[x] + averaged[x])


@part
def _add_expanded(expanded: Floats, row: Floats) -> None:
    """``expanded`` as ``expand_row`` leaves it."""
    pairs = row.size // 2
    for j in range(pairs):
        near = np.float32(0.75) * expanded[j + 1]
        row[2 * j] += near + np.float32(0.25) * expanded[j]
        row[2 * j + 1] += near + np.float32(0.25) * expanded[j + 2]
    if row.size % 2:
        row[row.size - 1] += np.float32(0.75) * expanded[pairs + 1] + np.float32(0.25) * expanded[pairs]


@part
def _go_on(fused: Floats, before: Floats, momentum: np.float32, row: Floats) -> None:
    """A step becomes the picture after it."""
    for x in range(row.size):
        row[x] += fused[x] + momentum * (fused[x] - before[x])


@kernel
def draw_rows(
    fused: Floats, pull: Floats, coarser: Floats | None, first: int, last: int, step: np.float32, drawn: Floats
) -> None:
    """Rows ``[first, last)`` of what a level and those below ask for.

    Args:
        fused: (h, w) code values.
        pull: (3, h, w), from ``pull_rows``.
        coarser: (ceil(h/2), ceil(w/2)), what the levels below ask for; None where there are none.
        first: row.
        last: the row after the last.
        step: share of the way.
        drawn: (h, w), filled.
    """
    height, width = fused.shape
    shared, bordered = np.empty((RING, width), np.float32), np.empty(width + 2 * REACH, np.float32)
    expanded = np.empty((width + 1) // 2 + 2, np.float32)
    for y in range(first - 2 * REACH, last):
        share_row(fused, pull, y + REACH, bordered, shared)
        if y < first:
            continue
        average_row(shared, y, height, bordered, drawn[y])
        _draw(fused[y], pull[0, y], pull[1, y], step, drawn[y])
        if coarser is not None:
            expand_row(coarser, y, expanded)
            _add_expanded(expanded, drawn[y])


@kernel
def refine_rows(
    pictures: tuple[Floats, Floats, PixelArray, PixelArray],
    drawing: tuple[Floats, Floats] | None,
    target: Source,
    first: int,
    last: int,
    coding: tuple[np.float32, np.float32],
    steps: tuple[np.float32, np.float32, np.float32],
    noise: np.float32,
    top: np.float32 | None,
) -> None:
    """Rows ``[first, last)`` of the fused picture one step on.

    Args:
        pictures: code values (H, W): fused, the same before the last step, under and over.
        drawing: (3, H, W), from ``pull_rows``, and (ceil(H/2), ceil(W/2)), what the levels below ask for; None where
            patches do not draw.
        target: (H, W), filled; may be the picture before the last step.
        first: row.
        last: the row after the last.
        coding: code values of black and white.
        steps: shares of the way, towards patches and towards edges, and of the last step.
        noise: a strength of edges, in luma.
        top: the largest code value, where ``target`` is the result, tones held and rounded; None for floats.
    """
    fused, before, under, over = pictures
    towards_patches, towards_edges, momentum = steps
    height, width = fused.shape
    shared, bordered = np.empty((RING, width), np.float32), np.empty(width + 2 * REACH, np.float32)
    expanded, row = np.empty((width + 1) // 2 + 2, np.float32), np.empty(width, np.float32)
    fields, sums = np.zeros((3, 3, width + 2), np.float32), np.empty((3, width + 2), np.float32)
    room = (
        np.empty((2, width + 2), np.float32),
        np.zeros((6, width + 2), np.float32),
        np.zeros((2, width + 2), np.float32),
    )
    climb = towards_edges * (coding[1] - coding[0])
    if drawing is not None:
        for y in range(first - 2 * REACH, first - 1):
            share_row(fused, drawing[0], y + REACH, bordered, shared)
    for y in range(first - 1, last + 1):
        if drawing is not None:
            share_row(fused, drawing[0], y + REACH - 1, bordered, shared)
        next_field(y, (fused, under, over), coding, room, fields[y % 3])
        if y <= first:
            continue
        here = y - 1
        if drawing is None:
            row[:] = np.float32(0)
        else:
            average_row(shared, here, height, bordered, row)
            _draw(fused[here], drawing[0][0, here], drawing[0][1, here], towards_patches, row)
            expand_row(drawing[1], here, expanded)
            _add_expanded(expanded, row)
        climb_row(fields[(here + 2) % 3], fields[here % 3], fields[y % 3], climb, noise * noise, sums, row)
        _go_on(fused[here], before[here], momentum, row)
        if top is None:
            target[here] = row
        else:
            hold_row(row, under[here], over[here], target[here], coding, top)


class CompiledRefinement:
    """The steps for pictures of one size, their planes kept from frame to frame.

    Args:
        refinement: its parameters are read once.
        size: (height, width), both at least ``SMALLEST_SIDE``.
        strips: threads to work on.
    """

    def __init__(self, refinement: DetailRefinement, size: tuple[int, int], strips: Strips) -> None:
        self._strips = strips
        self._climbs: list[float] = (LARGEST_CLIMB * refinement.climb.sigmoid()).tolist()
        self._steps: list[float] = (LARGEST_STEP * refinement.step.sigmoid()).tolist()
        self._masking: list[float] = refinement.masking.exp().tolist()
        self._noise: list[float] = refinement.noise.exp().tolist()
        self._edge_noise = np.float32(refinement.edge_noise.exp())
        sizes = pyramid.level_sizes(*size)
        self._pulled = sum(min(each) >= SMALLEST_SIDE for each in sizes[: len(self._steps)])
        """Levels, from the finest."""
        self._pulls = [np.empty((3, *each), np.float32) for each in sizes[: self._pulled]]
        # The next level is always there, for the finest to read.
        self._coarser = [np.zeros((4, *each), np.float32) for each in sizes[1 : max(2, self._pulled)]]
        """Under, over, fused, and what the level and those below ask for."""
        self._other = np.empty(size, np.float32)
        """A fused picture between the steps."""

    def passes(
        self,
        source: Floats,
        under: PixelArray,
        over: PixelArray,
        fused: PixelArray,
        coding: tuple[np.float32, np.float32],
        top: np.float32,
        after: Sequence[Pass],
    ) -> list[Pass]:
        """Passes of all steps; no tone is lost to black or white.

        Args:
            source: (H, W) code values; room for the steps thereafter.
            under: the same.
            over: the same.
            fused: (H, W), filled with rounded code values.
            coding: code values of black and white.
            top: the largest code value.
            after: leave ``source``.
        """
        pulls = self._preparations(under, over, coding)
        passes: list[Pass] = []
        here, before = source, self._other
        last = list(after)
        for index in range(len(self._climbs)):
            drawn = self._drawing(here, pulls, last)
            # Before the first step the picture was the same.
            pictures = (here, before if index else here, under, over)
            is_last = index == len(self._climbs) - 1
            work = self._step(index, pictures, fused if is_last else before, coding, top if is_last else None)
            height, width = self._other.shape
            prepared = pulls[0][-1:] if pulls else []
            taken = self._strips.over(height, width, work, after=drawn[-1:] or last, after_all_of=prepared)
            passes += [*drawn, taken]
            last = [taken]
            here, before = before, here
        # Who waits for the source prepares meanwhile.
        return [*passes[:-1], *(each for level in pulls for each in level), passes[-1]]

    def _preparations(
        self, under: PixelArray, over: PixelArray, coding: tuple[np.float32, np.float32]
    ) -> list[list[Pass]]:
        """For each level that draws, passes that find where to; they depend on the exposures alone."""
        pair: tuple[Source, Source] = (under, over)
        levels: list[list[Pass]] = []
        for level, pull in enumerate(self._pulls):
            reduced: list[Pass] = []
            if level:
                coarser = self._coarser[level - 1]
                after = levels[-1][:-1]
                for picture, target in zip(pair, coarser[:2], strict=True):
                    reduced.append(self._reduction(picture, target, coding, after))
                pair = (coarser[0], coarser[1])
            masking, noise = np.float32(self._masking[level]), np.float32(self._noise[level])
            work = _pull_work(pair, coding, masking, noise, WIDER[level], pull)
            levels.append([*reduced, self._strips.over(pull.shape[1], pull.shape[2], work, after=reduced)])
        return levels

    def _reduction(
        self, picture: Source, reduced: Floats, limits: tuple[np.float32, np.float32], after: Sequence[Pass]
    ) -> Pass:
        height, width = reduced.shape
        return self._strips.over(
            height, 4 * width, lambda first, last: reduce_rows(picture, reduced, first, last, *limits), after=after
        )

    def _drawing(self, fused: Floats, pulls: list[list[Pass]], after: Sequence[Pass]) -> list[Pass]:
        """Passes that put what the levels below the finest ask for into the planes of the next level."""
        passes: list[Pass] = []
        for planes in self._coarser[: self._pulled - 1]:
            passes.append(self._reduction(fused, planes[2], (-_ANY, _ANY), passes[-1:] or after))
            fused = planes[2]
        for level in range(self._pulled - 1, 0, -1):
            work = self._draw_work(level, self._coarser[level][3] if level + 1 < self._pulled else None)
            height, width = self._coarser[level - 1].shape[1:]
            passes.append(self._strips.over(height, width, work, after=passes[-1:], after_all_of=pulls[level][-1:]))
        return passes

    def _draw_work(self, level: int, coarser: Floats | None) -> Work:
        pull, step = self._pulls[level], np.float32(self._steps[level])
        fused, drawn = self._coarser[level - 1][2:]
        return lambda first, last: draw_rows(fused, pull, coarser, first, last, step, drawn)

    def _step(
        self,
        index: int,
        pictures: tuple[Floats, Floats, PixelArray, PixelArray],
        target: Source,
        coding: tuple[np.float32, np.float32],
        top: np.float32 | None,
    ) -> Work:
        towards_patches = np.float32(self._steps[0] if self._steps else 0)
        steps = towards_patches, np.float32(self._climbs[index]), _MOMENTUM if index else np.float32(0)
        drawing = (self._pulls[0], self._coarser[0][3]) if self._pulls else None
        noise = self._edge_noise
        return lambda first, last: refine_rows(pictures, drawing, target, first, last, coding, steps, noise, top)


def _pull_work(
    pair: tuple[Source, Source],
    coding: tuple[np.float32, np.float32],
    masking: np.float32,
    noise: np.float32,
    wider: bool,
    pull: Floats,
) -> Work:
    under, over = pair
    return lambda first, last: pull_rows(under, over, first, last, coding, masking, noise, wider, pull)
