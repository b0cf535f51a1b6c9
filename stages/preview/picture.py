"""What the preview shows of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, get_args

from stages.frame import ColorTags, Exposure, FusedFrame, Planes

View = Literal["fused", "under", "over", "single"]
"""``single`` is the frame that was fused, as captured."""

VIEWS: Final[tuple[View, ...]] = get_args(View)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreviewPicture:
    """A fused picture and, where they are known, the pictures it was made of."""

    fused: Planes
    color: ColorTags
    index: int
    """Position in the stream as captured."""
    captured_ns: int
    """Wall clock (time.time_ns) of its capture; 0 when unknown."""
    fused_ns: int
    """When fusion finished."""
    under: Planes | None = None
    """The short exposure, aligned."""
    over: Planes | None = None
    """The long exposure, aligned."""
    single: Planes | None = None
    """The frame that was fused, as captured."""
    ratio_stops: float | None = None
    """log2 of over's exposure over under's; None when unknown."""
    exposures: tuple[Exposure | None, Exposure | None] = (None, None)
    """Of under and over, where the camera reports them."""
    sample_aspect_ratio: Fraction = Fraction(1)
    rotation_deg: int = 0
    """Counter-clockwise: 0, 90, 180 or 270."""

    def planes(self, view: View) -> Planes | None:
        """One of its pictures; None where it has none such."""
        found: Planes | None = getattr(self, view)
        return found

    @property
    def views(self) -> tuple[View, ...]:
        """What it has."""
        return tuple(view for view in VIEWS if self.planes(view) is not None)

    @classmethod
    def of(
        cls, frame: FusedFrame, *, sample_aspect_ratio: Fraction = Fraction(1), rotation_deg: int = 0
    ) -> PreviewPicture:
        """What there is to show of a fused frame; nothing is copied."""
        aligned = frame.aligned
        exposures: tuple[Exposure | None, Exposure | None] = (None, None)
        if aligned is not None:
            pair = aligned.pair
            reference, neighbour = pair.reference.exposure, pair.neighbour.exposure
            exposures = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        return cls(
            fused=frame.planes,
            color=frame.color,
            index=frame.index,
            captured_ns=frame.captured_ns,
            fused_ns=frame.fused_ns,
            under=None if aligned is None else aligned.under,
            over=None if aligned is None else aligned.over,
            single=None if aligned is None else aligned.pair.reference.planes,
            ratio_stops=frame.ratio_stops,
            exposures=exposures,
            sample_aspect_ratio=sample_aspect_ratio,
            rotation_deg=rotation_deg,
        )
