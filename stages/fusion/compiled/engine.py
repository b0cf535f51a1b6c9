"""The whole network on a CPU, for pictures of one size: what ``LCNDR`` computes in ``stream`` mode, compiled.

Pictures come and go as code values; rows of every plane are used while they lie in a core's cache, and the planes in
between are kept from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.frame import PixelArray, Planes
from stages.fusion.codes import CodeValues
from stages.fusion.compiled.chroma import fuse_chroma_rows
from stages.fusion.compiled.luma import Coding, CompiledBlend
from stages.fusion.compiled.network import CompiledWeights
from stages.fusion.compiled.refinement import CompiledRefinement
from stages.fusion.compiled.resampling import shrink_rows
from stages.fusion.compiled.revision import CompiledRevision
from stages.fusion.compiled.tones import hold_rows
from stages.fusion.lcndr import LCNDR
from stages.fusion.mode import stream_working_side
from stages.fusion.strips import Pass, Strips


class CompiledFusion:
    """Fuses pictures of one size on a CPU.

    Args:
        network: with its weights, which are read once.
        size: (height, width), both at least 2 * ``pyramid.SMALLEST_SIDE``.
        strips: threads to work on.
    """

    def __init__(self, network: LCNDR, size: tuple[int, int], strips: Strips) -> None:
        self.size = height, width = size
        self._strips = strips
        scale = min(1.0, stream_working_side(*size) / max(size))
        self._small = (max(1, round(height * scale)), max(1, round(width * scale)))
        self._weights = CompiledWeights(network, self._small)
        self._blend = CompiledBlend(network.blend, size, self._small, strips)
        erm = network.erm
        self._revision = CompiledRevision(erm, size, strips) if erm is not None else None
        refinement = network.refinement
        self._refinement = CompiledRefinement(refinement, size, strips) if refinement is not None else None
        self._coarse = np.empty((0, 0) if erm is None and refinement is None else size, np.float32)

    def fuse(self, under: Planes, over: Planes, luma_coefficients: tuple[float, float], codes: CodeValues) -> Planes:
        """The fused picture.

        Args:
            under: of this size.
            over: the same.
            luma_coefficients: (K_R, K_B).
            codes: of both.
        """
        under, over = owned(under), owned(over)
        fused = Planes(np.empty_like(under.luma), np.empty_like(under.chroma), under.bit_depth)
        weighing = self.weighing(under.luma, over.luma, codes)
        blending = self.blending(under.luma, over.luma, fused.luma, codes, after=weighing[-1:])
        coloring = self.coloring(under, over, fused, luma_coefficients, codes, after=blending[-1:])
        self._strips.run([*weighing, *blending, coloring])
        return fused

    def weighing(self, under: PixelArray, over: PixelArray, codes: CodeValues) -> list[Pass]:
        """Passes of CEM and SAM: the last leaves logits. The planes are ``owned``."""
        low, high = _coding(codes)
        height, width = self.size

        def shrink(first: int, last: int) -> None:
            for picture, small in zip((under, over), self._weights.lumas, strict=True):
                shrink_rows(picture, small, self._small[1], first, last, low, high)

        shrunk = self._strips.over(self._small[0], 2 * height * width // self._small[0], shrink)
        return [shrunk, *self._weights.passes([shrunk])]

    def blending(
        self, under: PixelArray, over: PixelArray, fused: PixelArray, codes: CodeValues, *, after: Sequence[Pass]
    ) -> list[Pass]:
        """Passes from logits to fused luma.

        Args:
            under: (H, W) code values, ``owned``.
            over: the same.
            fused: (H, W), filled.
            codes: of all.
            after: passes that leave logits.
        """
        coding, top, logits = _coding(codes), np.float32(codes.top), self._weights.logits
        coarse = self._coarse
        held, largest = (fused, top) if self._refinement is None else (coarse, None)
        if self._revision is None:
            passes = self._blend.passes(under, over, logits, held, coding, after, is_held=True, top=largest)
        else:
            passes = self._blend.passes(under, over, logits, coarse, coding, after, is_held=False, top=None)
            passes += self._revision.passes(coarse, under, over, coding, passes[-1])

            def hold(first: int, last: int) -> None:
                hold_rows(coarse, under, over, held, first, last, coding, largest)

            passes.append(self._strips.over(*self.size, hold, after=passes[-1:]))
        if self._refinement is not None:
            passes += self._refinement.passes(coarse, under, over, fused, coding, top, passes[-1:])
        return passes

    def coloring(
        self,
        under: Planes,
        over: Planes,
        fused: Planes,
        luma_coefficients: tuple[float, float],
        codes: CodeValues,
        *,
        after: Sequence[Pass],
    ) -> Pass:
        """The pass that fuses chroma.

        Args:
            under: ``owned``.
            over: the same.
            fused: the same; its chroma is filled.
            luma_coefficients: (K_R, K_B).
            codes: of all.
            after: passes that leave fused luma.
        """
        lumas, chromas = (under.luma, over.luma, fused.luma), (under.chroma, over.chroma)
        coding = (
            np.float32(codes.black),
            np.float32(codes.luma_span),
            np.float32(codes.grey),
            np.float32(codes.chroma_span),
        )
        matrix = (np.float32(luma_coefficients[0]), np.float32(luma_coefficients[1]))
        top = np.float32(codes.top)
        return self._strips.over(
            fused.chroma.shape[1],
            fused.chroma.shape[2],
            lambda first, last: fuse_chroma_rows(lumas, chromas, fused.chroma, first, last, coding, matrix, top),
            after=after,
        )


def owned(planes: Planes) -> Planes:
    """Planes whose rows lie one after the other; writable, since numba compiles once more for those that are not."""
    luma: PixelArray = np.require(planes.luma, requirements=["C", "W"])
    chroma: PixelArray = np.require(planes.chroma, requirements=["C", "W"])
    return Planes(luma, chroma, planes.bit_depth)


def _coding(codes: CodeValues) -> Coding:
    """Code values of black and white."""
    return np.float32(codes.black), np.float32(codes.black + codes.luma_span)
