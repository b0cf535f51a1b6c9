"""The whole network on a CPU, for pictures of one size: what ``LCNDR`` computes in ``stream`` mode, faster.

Pictures come and go as code values, every plane is walked strip by strip while it lies in a core's cache, and the
planes in between are kept from frame to frame.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.frame import PixelArray, Planes
from stages.fusion import pyramid
from stages.fusion.chroma import CHROMA_REACH, fuse_chroma
from stages.fusion.fast_blend import FastBlend
from stages.fusion.fast_revision import FastRevision, Unrevised, multiplies_bfloat16
from stages.fusion.lcndr import LCNDR, EdgeRevision
from stages.fusion.strips import Strips

SMALLEST_SIDE = 2 * pyramid.SMALLEST_SIDE
"""Of pictures, in pixels."""


class FastFusion:
    """Fuses pictures of one size on a CPU.

    Args:
        network: with its weights, which are read once.
        size: (height, width), both at least ``SMALLEST_SIDE``.
        working_side: pixels of the longer side that CEM and SAM see.
        strips: threads to work on.
    """

    def __init__(self, network: LCNDR, size: tuple[int, int], working_side: int, strips: Strips) -> None:
        self._precision = torch.bfloat16 if multiplies_bfloat16() else torch.float32
        self._network = copy.deepcopy(network).to(self._precision)
        self._strips = strips
        self.size = height, width = size
        scale = min(1.0, working_side / max(size))
        self._small = (max(1, round(height * scale)), max(1, round(width * scale)))
        self._shrink_rows = _averages(height, self._small[0])
        self._blend = FastBlend(network.blend, size, strips)
        coarse = self._blend.coarse
        self._revision: FastRevision | Unrevised = (
            FastRevision(network.erm, coarse, size, strips)
            if isinstance(network.erm, EdgeRevision)
            else Unrevised(coarse, size, strips)
        )

    def luma(self, under: PixelArray, over: PixelArray, *, black: float, white: float, top: int) -> PixelArray:
        """Fused luma code values.

        Args:
            under: (H, W) code values.
            over: the same.
            black: code value.
            white: code value.
            top: largest code value.
        """
        pictures = (_signed(under), _signed(over))
        small = [(self._shrink(picture, black, white) - black) / (white - black) for picture in pictures]
        logits = self._weigh([each[None, None].to(self._precision) for each in small])
        self._blend.run(pictures[0], pictures[1], logits, black=black, white=white)
        fused = np.empty_like(under)
        self._revision.run(black=black, white=white, top=top, fused=_signed(fused))
        return fused

    def chroma(
        self,
        under: Planes,
        over: Planes,
        luma_coefficients: tuple[float, float],
        *,
        black: float,
        white: float,
        chroma_span: float,
    ) -> PixelArray:
        """Fused chroma code values, (2, ceil(H/2), ceil(W/2)).

        Args:
            under: code values.
            over: the same.
            luma_coefficients: (K_R, K_B).
            black: code value of luma.
            white: code value of luma.
            chroma_span: code values between chroma's extremes.
        """
        fused = np.empty_like(under.chroma)
        result = _signed(fused)
        lumas = [_signed(planes.luma) for planes in (under, over)]
        chromas = [_signed(planes.chroma) for planes in (under, over)]
        middle, top = float(1 << (under.bit_depth - 1)), (1 << under.bit_depth) - 1
        height, width = under.chroma.shape[-2:]

        def work(first: int, last: int) -> None:
            low, high = max(first - CHROMA_REACH, 0), min(last + CHROMA_REACH, height)
            under_luma, over_luma = (
                (plane[None, None, 2 * low : 2 * high].float() - black) / (white - black) for plane in lumas
            )
            under_chroma, over_chroma = ((plane[None, :, low:high].float() - middle) / chroma_span for plane in chromas)
            halves = fuse_chroma(under_luma, over_luma, under_chroma, over_chroma, luma_coefficients)
            values = halves[0, :, first - low : last - low] * chroma_span + middle
            result[:, first:last] = values.round_().clamp_(0, top).to(torch.int16)

        self._strips.run(height, width, work)
        return fused

    def _weigh(self, small: list[Tensor]) -> Tensor:
        """``LCNDR.weigh``, each exposure in a thread of its own."""
        logits: list[Tensor] = [torch.empty(0)] * 2

        def work(exposure: int) -> None:
            logits[exposure] = self._network.sam(self._network.cem(small[exposure]), small[1 - exposure])

        self._strips.each(2, work)
        return (logits[1] - logits[0]).float()

    def _shrink(self, picture: Tensor, black: float, white: float) -> Tensor:
        """Luma code values at the size CEM and SAM see."""
        height, width = self.size
        rows = torch.empty(self._small[0], width)
        step = height / self._small[0]

        def work(first: int, last: int) -> None:
            low, high = int(first * step), min(int(last * step) + 1, height)
            seen = picture[low:high].clamp(int(black), int(white)).float()
            torch.mm(self._shrink_rows[first:last, low:high], seen, out=rows[first:last])

        self._strips.run(self._small[0], int(width * step), work)
        return F.adaptive_avg_pool2d(rows[None], self._small)[0]


def _signed(plane: PixelArray) -> Tensor:
    """A plane's own memory as a tensor; torch does little with uint16, and code values fit its signed sibling."""
    values = np.ascontiguousarray(plane)
    return torch.from_numpy(values.view(np.int16) if values.dtype == np.uint16 else values)


def _averages(size: int, count: int) -> Tensor:
    """The matrix (count, size) of ``adaptive_avg_pool1d``."""
    matrix = torch.zeros(count, size)
    for index in range(count):
        first, last = index * size // count, -(-(index + 1) * size // count)
        matrix[index, first:last] = 1 / (last - first)
    return matrix
