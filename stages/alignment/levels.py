"""Which luma code values are black and white."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import ColorTags, PixelArray


@dataclass(frozen=True, slots=True)
class Levels:
    """Nominal luma code values, ITU-T H.273 section 8.3."""

    black: int
    white: int

    @classmethod
    def of(cls, color: ColorTags, bit_depth: int) -> Levels:
        """Of a frame's colour tags and depth: 0 and 255, 16 and 235, 0 and 1023, or 64 and 940."""
        if color.is_full_range:
            return cls(0, (1 << bit_depth) - 1)
        unit = 1 << (bit_depth - 8)
        return cls(16 * unit, 235 * unit)

    @property
    def span(self) -> int:
        """Code values from black to white."""
        return self.white - self.black

    @property
    def chroma_span(self) -> float:
        """Code values from one extreme of chroma to the other."""
        return self.span * 224 / 219 if self.black else float(self.span)

    @property
    def grey(self) -> int:
        """Code value of chroma."""
        return 8 * self.black if self.black else (self.white + 1) // 2


def eight_bit(luma: PixelArray, bit_depth: int) -> npt.NDArray[np.uint8]:
    """Luma of 8 or 10 bit with 8."""
    return np.asarray(luma if bit_depth == 8 else cv2.convertScaleAbs(luma, alpha=1 / (1 << (bit_depth - 8))), np.uint8)
