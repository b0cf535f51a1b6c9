"""``EdgeRevision`` for inference on a CPU: the same function, strip by strip, on columns in two phases.

Convolutions of few channels waste most of a CPU's vector: oneDNN computes 16 output channels however many there are.
So one convolution with a wider window and a stride gives the channels of several pixels side by side, which in memory
is the very picture that the plain one gives. Where the CPU multiplies bfloat16, all but the first convolution do:
the first sees luma, whose rounding would show.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion import phases
from stages.fusion.lcndr import EdgeRevision
from stages.fusion.plane import even, rows_of
from stages.fusion.strips import Strips

_VECTOR_CHANNELS = 16
_MOST_PIXELS = 8
"""Side by side in one convolution; rows are filled up to a multiple."""
_REACH = 3
"""Rows that the convolutions see beyond a pixel's own."""


def multiplies_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 by itself; others emulate it, slowly."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class FastRevision:
    """An ERM for pictures of one size; keeps its residual's plane between frames.

    Args:
        revision: its parameters are read once.
        coarse: (2, H, ceil(W/2)) code values, even and odd columns; of an odd W the last column twice.
        size: (height, width).
        strips: threads to work on.
    """

    def __init__(self, revision: EdgeRevision, coarse: Tensor, size: tuple[int, int], strips: Strips) -> None:
        self._coarse = coarse
        self._height, self._width = size
        self._strips = strips
        self._columns = even(size[1]) // 2
        self._filled = -(-size[1] // _MOST_PIXELS) * _MOST_PIXELS
        self._threshold = revision.threshold.item()
        self._steepness = revision.steepness.item()
        first, first_slope, second, second_slope, last = revision.refine
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        assert isinstance(first_slope, nn.PReLU)
        assert isinstance(second_slope, nn.PReLU)
        precision = torch.bfloat16 if multiplies_bfloat16() else torch.float32
        self._first = _SideBySide(first, torch.float32)
        self._second = _SideBySide(second, precision)
        # tanh(x) is 2 sigmoid(2x) - 1, and torch's sigmoid takes a tenth of the time.
        self._last = _SideBySide(last, precision, factor=2.0)
        self._slopes = (first_slope.weight.item(), second_slope.weight.item())
        self._scale = 2 * revision.LIMIT
        self._residual = torch.empty(2, size[0], self._columns)

    def run(self, *, black: float, white: float, top: int, fused: Tensor) -> None:
        """Refine the coarse picture as it is now.

        Args:
            black: code value.
            white: code value.
            top: largest code value.
            fused: (H, W), filled with rounded code values.
        """
        span = white - black

        def propose(first: int, last: int) -> None:
            self._propose(first, last, black, span)

        def finish(first: int, last: int) -> None:
            self._finish(first, last, span, top, fused)

        self._strips.run(self._height, self._width, propose)
        self._strips.run(self._height, self._width, finish)

    def _propose(self, first: int, last: int, black: float, span: float) -> None:
        """The residual before its low-pass part is taken off, over twice ``LIMIT`` and up to a constant."""
        count = last - first
        luma = rows_of(self._coarse, first - _REACH - 1, last + _REACH + 1).sub(black).mul_(1 / span)
        edges = self._edges(luma)
        features = torch.zeros(1, count + 2 * _REACH, self._filled, 2)
        for phase in range(2):
            features[0, :, phase : 2 * self._columns : 2, 0] = luma[phase, 1:-1]
            features[0, :, phase : 2 * self._columns : 2, 1] = edges[phase]
        start = first - _REACH
        self._clear_beyond(features, start)
        features = F.leaky_relu_(self._first(features), self._slopes[0])
        self._clear_beyond(features, start + 1)
        features = F.leaky_relu_(self._second(features), self._slopes[1])
        self._clear_beyond(features, start + 2)
        proposals = self._last(features).float().sigmoid_().view(count, -1, 2, 2)[:, : self._columns]
        edges = edges[:, _REACH : _REACH + count]
        for phase in range(2):
            sharpened, smoothed = proposals[..., phase, 0], proposals[..., phase, 1]
            torch.lerp(smoothed, sharpened, edges[phase], out=self._residual[phase, first:last])
        if self._width % 2:
            self._residual[1, first:last, -1] = self._residual[0, first:last, -1]

    def _edges(self, luma: Tensor) -> Tensor:
        """The soft edge map, (2, n + 2, w) -> (2, n, w)."""
        smooth = luma[:, :-2] + luma[:, 2:]
        smooth.add_(luma[:, 1:-1], alpha=2)
        steps = luma[:, 2:] - luma[:, :-2]
        # To the right minus to the left; at the picture's edges a pixel counts as its own neighbour.
        across = torch.empty_like(smooth)
        torch.sub(smooth[1, :, 1:], smooth[1, :, :-1], out=across[0, :, 1:])
        torch.sub(smooth[1, :, :1], smooth[0, :, :1], out=across[0, :, :1])
        torch.sub(smooth[0, :, 1:], smooth[0, :, :-1], out=across[1, :, :-1])
        torch.sub(smooth[1, :, -1:], smooth[0, :, -1:], out=across[1, :, -1:])
        down = torch.empty_like(steps)
        torch.add(steps[1], steps[0], alpha=2, out=down[0])
        torch.add(steps[0], steps[1], alpha=2, out=down[1])
        down[0, :, 1:].add_(steps[1, :, :-1])
        down[0, :, :1].add_(steps[0, :, :1])
        down[1, :, :-1].add_(steps[0, :, 1:])
        down[1, :, -1:].add_(steps[1, :, -1:])
        magnitude = across.square_().addcmul_(down, down).mul_(1 / 64).add_(1e-8).sqrt_()
        return magnitude.sub_(self._threshold).mul_(self._steepness).sigmoid_()

    def _clear_beyond(self, features: Tensor, start: int) -> None:
        """Zero what lies outside the picture: every convolution pads with zeros. (1, n, W, C), rows from ``start``."""
        rows = features.shape[1]
        if start < 0:
            features[:, :-start] = 0
        if start + rows > self._height:
            features[:, self._height - start :] = 0
        if self._filled > self._width:
            features[:, :, self._width :] = 0

    def _finish(self, first: int, last: int, span: float, top: int, fused: Tensor) -> None:
        """Coarse picture plus the residual's finest band, rounded."""
        stop = even(last)
        reduced = phases.reduce_columns(phases.reduce_rows(rows_of(self._residual, first - 3, stop + 3)))
        if first == 0:
            reduced[0] = reduced[1]
        if last == self._height:
            reduced[-1] = reduced[-2]
        reduced = phases.expand_columns(F.pad(reduced[None], (1, 1, 0, 0), mode="replicate")[0])
        factor = self._scale * span
        rows = rows_of(self._coarse, first, stop).add(rows_of(self._residual, first, stop), alpha=factor)
        phases.add_expanded_rows(rows, reduced, -factor / 64)
        codes = rows.round_().clamp_(0, top).to(torch.int16)[:, : last - first]
        fused[first:last, 0::2] = codes[0]
        fused[first:last, 1::2] = codes[1, :, : self._width // 2]


class Unrevised:
    """The coarse picture as it is, rounded: for a network without an ERM. Arguments as for ``FastRevision``."""

    def __init__(self, coarse: Tensor, size: tuple[int, int], strips: Strips) -> None:
        self._coarse = coarse
        self._height, self._width = size
        self._strips = strips

    def run(self, *, black: float, white: float, top: int, fused: Tensor) -> None:
        """As ``FastRevision.run``."""

        def finish(first: int, last: int) -> None:
            codes = self._coarse[:, first:last].round().clamp_(0, top).to(torch.int16)
            fused[first:last, 0::2] = codes[0]
            fused[first:last, 1::2] = codes[1, :, : self._width // 2]

        self._strips.run(self._height, self._width, finish)


class _SideBySide:
    """A 3 x 3 convolution that gives several pixels at once: rows without padding, columns padded with zeros.

    Args:
        convolution: what it computes.
        precision: of its arithmetic.
        factor: multiplies its result.
    """

    def __init__(self, convolution: nn.Conv2d, precision: torch.dtype, *, factor: float = 1.0) -> None:
        out_channels, in_channels = convolution.weight.shape[:2]
        pixels = 1
        while pixels < _MOST_PIXELS and 2 * pixels * out_channels <= _VECTOR_CHANNELS:
            pixels *= 2
        weight = torch.zeros(pixels, out_channels, in_channels, 3, pixels + 2)
        for pixel in range(pixels):
            weight[pixel, ..., pixel : pixel + 3] = convolution.weight * factor
        self._weight = weight.flatten(0, 1).to(precision).contiguous(memory_format=torch.channels_last)
        bias = convolution.bias
        self._bias = None if bias is None else (bias * factor).repeat(pixels).to(precision)
        self._pixels = pixels
        self._out_channels = out_channels

    def __call__(self, features: Tensor) -> Tensor:
        """(1, n + 2, W, C_in) -> (1, n, W, C_out)."""
        planes = features.to(self._weight.dtype).permute(0, 3, 1, 2)
        result = F.conv2d(planes, self._weight, self._bias, stride=(1, self._pixels), padding=(0, 1))
        rows = result.permute(0, 2, 3, 1)
        return rows.reshape(1, rows.shape[1], -1, self._out_channels)
