"""``EdgeRevision`` with convolutions of this folder, strip by strip: the same function, float32."""

from __future__ import annotations

from threading import local
from typing import TypeAlias

import numpy as np

from stages.compiling import kernel, part
from stages.frame import PixelArray
from stages.fusion.compiled.arithmetic import sigmoid
from stages.fusion.compiled.blend import band_row
from stages.fusion.compiled.convolution import bordered, convolve
from stages.fusion.compiled.layer import Layer
from stages.fusion.compiled.rows import Floats, reduce_rows
from stages.fusion.compiled.sobel import gradient_row
from stages.fusion.lcndr import EdgeRevision
from stages.fusion.strips import Pass, Strips

_REACH = 3
"""Rows that the convolutions see beyond a pixel's own."""
_LOG2_E = np.float32(1 / np.log(2))
_ANY = np.float32(1e30)
_PER_AGREEMENT = np.float32(1 / EdgeRevision.AGREEMENT)

_Parameters: TypeAlias = tuple[Floats, Floats, np.float32]
"""Weights, biases, slope, as ``convolve`` takes them."""


@part
def _edge_row(gradient: Floats, edge: tuple[np.float32, np.float32], edges: Floats) -> None:
    """The soft edge map of a row.

    Args:
        gradient: (2, W + 2), across and down.
        edge: threshold and steepness.
        edges: (W + 2, or more), filled from 1.
    """
    across, down = gradient[0], gradient[1]
    threshold, steepness = edge[0], edge[1] * _LOG2_E
    for x in range(1, across.size - 1):
        magnitude = np.sqrt(across[x] * across[x] + down[x] * down[x] + np.float32(1e-8))
        edges[x] = sigmoid(np.float32((magnitude - threshold) * steepness))


@part
def _convolve_inside(
    source: Floats, layer: _Parameters, target: Floats, first: int, last: int, inside: tuple[int, int], width: int
) -> None:
    """Rows ``[first, last)`` of a layer; zero where they are not inside the picture."""
    convolve(source, layer[0], layer[1], layer[2], target, max(first, inside[0]), min(last, inside[1]), width)
    for y in range(first, last):
        if y < inside[0] or y >= inside[1]:
            target[:, y + 1] = np.float32(0)


@kernel
def propose_rows(
    coarse: Floats,
    under: PixelArray,
    over: PixelArray,
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    edge: tuple[np.float32, np.float32],
    layers: tuple[_Parameters, _Parameters, _Parameters],
    features: Floats,
    between: tuple[Floats, Floats],
    proposals: Floats,
    residual: Floats,
) -> None:
    """Rows ``[first, last)`` of the residual, its low-pass part not yet taken off, over twice ``LIMIT``.

    Args:
        coarse: (H, W) code values.
        under: the same.
        over: the same.
        first: row.
        last: the row after the last.
        low: code value of black.
        high: code value of white.
        edge: the edge map's threshold and steepness.
        layers: three of them.
        features: room for what they see, as ``bordered`` makes it, for ``_REACH`` more rows above and below.
        between: room for their results.
        proposals: the last one's.
        residual: (H, W).
    """
    height, width = coarse.shape
    start, count = first - _REACH, last - first + 2 * _REACH
    scale = np.float32(1) / (high - low)
    room, gradient = np.empty((2, width + 2), np.float32), np.empty((2, width + 2), np.float32)
    for index in range(count):
        y = start + index
        if 0 <= y < height:
            row = coarse[y]
            luma, edges = features[0, index + 1], features[1, index + 1]
            darker, brighter = features[2, index + 1], features[3, index + 1]
            for x in range(width):
                luma[x + 1] = (row[x] - low) * scale
            for x in range(width):
                one, other = np.float32(under[y, x]), np.float32(over[y, x])
                darker[x + 1] = (min(max(min(one, other), low), high) - low) * scale
                brighter[x + 1] = (min(max(max(one, other), low), high) - low) * scale
            above, below = coarse[max(y - 1, 0)], coarse[min(y + 1, height - 1)]
            gradient_row(above, row, below, scale, (-_ANY, _ANY), room, gradient[0], gradient[1])
            _edge_row(gradient, edge, edges)
        else:
            features[:, index + 1] = np.float32(0)
    inside = (-start, height - start)
    _convolve_inside(features, layers[0], between[0], 1, count - 1, inside, width)
    _convolve_inside(between[0][: layers[1][0].shape[1]], layers[1], between[1], 2, count - 2, inside, width)
    _convolve_inside(between[1][: layers[2][0].shape[1]], layers[2], proposals, 3, count - 3, inside, width)
    for y in range(first, last):
        index = y - start + 1
        sharpened, smoothed, edges, mixed = proposals[0, index], proposals[1, index], features[1, index], residual[y]
        darker, brighter = features[2, index], features[3, index]
        for x in range(width):
            # tanh(x) is 2 sigmoid(2x) - 1; the constant is low-pass.
            smooth = sigmoid(np.float32(smoothed[x + 1] * 2 * _LOG2_E))
            sharp = sigmoid(np.float32(sharpened[x + 1] * 2 * _LOG2_E))
            differing = min((brighter[x + 1] - darker[x + 1]) * _PER_AGREEMENT, np.float32(1))
            proposed = smooth + edges[x + 1] * (sharp - smooth) - np.float32(0.5)
            mixed[x] = differing * proposed + np.float32(0.5)


@kernel
def finish_rows(coarse: Floats, residual: Floats, reduced: Floats, first: int, last: int, factor: np.float32) -> None:
    """Rows ``[first, last)`` of the coarse picture, changed in place: ``factor`` times the residual's finest band."""
    band = np.zeros((3, reduced.shape[1] + 2), np.float32)
    width = coarse.shape[1]
    for y in range(first, last):
        band_row(residual, reduced, y, np.float32(0), np.float32(1), band)
        row, even, odd = coarse[y], band[0], band[1]
        pairs = width // 2
        for j in range(pairs):
            row[2 * j] += factor * even[j + 1]
            row[2 * j + 1] += factor * odd[j + 1]
        if width % 2:
            row[width - 1] += factor * even[pairs + 1]


class CompiledRevision:
    """An ERM for pictures of one size; keeps its residual between frames.

    Args:
        revision: its parameters are read once.
        size: (height, width).
        strips: threads to work on.
    """

    def __init__(self, revision: EdgeRevision, size: tuple[int, int], strips: Strips) -> None:
        height, self._width = size
        self._strips = strips
        self._edge = (np.float32(revision.threshold.item()), np.float32(revision.steepness.item()))
        refine = revision.refine
        self._layers = (
            Layer(refine[0], refine[1]).parameters,
            Layer(refine[2], refine[3]).parameters,
            Layer(refine[4]).parameters,
        )
        self._factor = 2 * revision.LIMIT
        self._residual = np.empty(size, np.float32)
        self._reduced = np.empty(((height + 1) // 2, (self._width + 1) // 2), np.float32)
        self._rooms = local()

    def passes(
        self, coarse: Floats, under: PixelArray, over: PixelArray, coding: tuple[np.float32, np.float32], after: Pass
    ) -> list[Pass]:
        """Passes that refine the coarse picture in place.

        Args:
            coarse: (H, W) code values.
            under: the same.
            over: the same.
            coding: code values of black and white.
            after: leaves ``coarse``.
        """
        low, high = coding
        factor = np.float32(self._factor) * (high - low)
        height, (reduced_height, _) = coarse.shape[0], self._reduced.shape

        def propose(first: int, last: int) -> None:
            features, between, proposals = self._room(last - first)
            propose_rows(
                coarse,
                under,
                over,
                first,
                last,
                low,
                high,
                self._edge,
                self._layers,
                features,
                between,
                proposals,
                self._residual,
            )

        def reduce(first: int, last: int) -> None:
            reduce_rows(self._residual, self._reduced, first, last, np.float32(0), np.float32(1))

        def finish(first: int, last: int) -> None:
            finish_rows(coarse, self._residual, self._reduced, first, last, factor)

        # Several planes lie between the layers: fewer rows at a time.
        proposed = self._strips.over(height, 2 * self._width, propose, after=[after])
        reduced = self._strips.over(reduced_height, 2 * self._width, reduce, after=[proposed])
        return [proposed, reduced, self._strips.over(height, self._width, finish, after=[reduced])]

    def _room(self, rows: int) -> tuple[Floats, tuple[Floats, Floats], Floats]:
        """This thread's planes between the layers, for so many rows or more."""
        room: tuple[Floats, tuple[Floats, Floats], Floats] | None = getattr(self._rooms, "planes", None)
        if room is None or room[0].shape[1] < rows + 2 * _REACH + 2:
            size = (rows + 2 * _REACH, self._width)
            channels = self._layers[1][0].shape[1]
            room = (bordered(4, *size)[:4], (bordered(channels, *size), bordered(channels, *size)), bordered(2, *size))
            self._rooms.planes = room
        return room
