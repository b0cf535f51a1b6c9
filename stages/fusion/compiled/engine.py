"""The whole network on a CPU, for pictures of one size: what ``LCNDR`` computes in ``stream`` mode, compiled.

Pictures come and go as code values; rows of every plane are used while they lie in a core's cache, and the planes in
between are kept from frame to frame.
"""

from __future__ import annotations

import numpy as np

from stages.frame import PixelArray, Planes
from stages.fusion.compiled.chroma import fuse_chroma_rows
from stages.fusion.compiled.luma import CompiledBlend
from stages.fusion.compiled.network import CompiledWeights
from stages.fusion.compiled.refinement import CompiledRefinement
from stages.fusion.compiled.resampling import shrink_rows
from stages.fusion.compiled.revision import CompiledRevision
from stages.fusion.compiled.rows import Floats
from stages.fusion.compiled.tones import hold_rows
from stages.fusion.lcndr import LCNDR
from stages.fusion.mode import stream_working_side
from stages.fusion.strips import Strips


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
        self._weights = CompiledWeights(network, self._small, strips)
        self._blend = CompiledBlend(network.blend, size, self._small, strips)
        erm = network.erm
        self._revision = CompiledRevision(erm, size, strips) if erm is not None else None
        refinement = network.refinement
        self._refinement = CompiledRefinement(refinement, size, strips) if refinement is not None else None
        self._is_finished = erm is None and refinement is None
        """Whether the blend's picture is the result."""
        self._coarse = np.empty((0, 0) if self._is_finished else size, np.float32)

    def luma(self, under: PixelArray, over: PixelArray, *, black: float, white: float, top: int) -> PixelArray:
        """Fused luma code values.

        Args:
            under: (H, W) code values.
            over: the same.
            black: code value.
            white: code value.
            top: largest code value.
        """
        under, over = _own(under), _own(over)
        logits = self.weigh(under, over, black=black, white=white)
        return self.blend(under, over, logits, black=black, white=white, top=top)

    def blend(
        self, under: PixelArray, over: PixelArray, logits: Floats, *, black: float, white: float, top: int
    ) -> PixelArray:
        """What follows CEM and SAM: fused luma code values. Arguments as for ``luma``, ``logits`` as from ``weigh``."""
        fused, coarse = np.empty_like(under), self._coarse
        if self._is_finished:
            self._blend.run_held(under, over, logits, fused, (black, white, top))
            return fused
        self._blend.run(under, over, logits, coarse, (black, white))
        if self._revision is not None:
            self._revision.run(coarse, under, over, (black, white))
        coding = (np.float32(black), np.float32(white))
        target, largest = (fused, np.float32(top)) if self._refinement is None else (coarse, None)

        def hold(first: int, last: int) -> None:
            hold_rows(coarse, under, over, target, first, last, coding, largest)

        self._strips.run(*self.size, hold)
        if self._refinement is not None:
            self._refinement.run(coarse, under, over, fused, (black, white, top))
        return fused

    def weigh(self, under: PixelArray, over: PixelArray, *, black: float, white: float) -> Floats:
        """CEM and SAM: logits (2, h, w) of over against under."""
        low, high = np.float32(black), np.float32(white)

        def work(first: int, last: int) -> None:
            for picture, small in zip((under, over), self._weights.lumas, strict=True):
                shrink_rows(picture, small, self._small[1], first, last, low, high)

        self._strips.run(self._small[0], 2 * self.size[0] * self.size[1] // self._small[0], work)
        return self._weights.run()

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
        lumas = (_own(under.luma), _own(over.luma))
        chromas = (_own(under.chroma), _own(over.chroma))
        fused = np.empty_like(chromas[0])
        middle, top = 1 << (under.bit_depth - 1), (1 << under.bit_depth) - 1
        coding = (np.float32(black), np.float32(white - black), np.float32(middle), np.float32(chroma_span))
        matrix = (np.float32(luma_coefficients[0]), np.float32(luma_coefficients[1]))

        def work(first: int, last: int) -> None:
            fuse_chroma_rows(lumas, chromas, fused, first, last, coding, matrix, np.float32(top))

        self._strips.run(fused.shape[1], fused.shape[2], work)
        return fused


def _own(plane: PixelArray) -> PixelArray:
    """A plane whose rows lie one after the other; writable, since numba compiles once more for one that is not."""
    owned: PixelArray = np.require(plane, requirements=["C", "W"])
    return owned
