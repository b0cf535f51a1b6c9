"""What code values of luma and chroma mean."""

from __future__ import annotations

from dataclasses import dataclass

from stages.frame import ColorTags


@dataclass(frozen=True, slots=True)
class CodeValues:
    """Where black, white and grey stand, ITU-T H.273 section 8.3."""

    black: float
    """Of luma."""
    luma_span: float
    """From black to white."""
    chroma_span: float
    """From one extreme of chroma to the other."""
    grey: float
    """Of chroma."""
    top: int
    """The largest there is."""

    @classmethod
    def of(cls, color: ColorTags, bit_depth: int) -> CodeValues:
        """Those of a range and bit depth; an unspecified range counts as limited."""
        unit = float(1 << (bit_depth - 8))
        top = (1 << bit_depth) - 1
        black, luma_span, chroma_span = (
            (0.0, float(top), float(top)) if color.is_full_range else (16 * unit, 219 * unit, 224 * unit)
        )
        return cls(black, luma_span, chroma_span, 128 * unit, top)
