"""Alignment for cameras and scenes that move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from stages.alignment.blend import blend_planes
from stages.alignment.camera import Flow, Picture
from stages.alignment.confidence import Confidence, confidence_map
from stages.alignment.intensity import IntensityMapping, estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.motion import MotionEstimator
from stages.alignment.resampling import fit, sample
from stages.alignment.substitute import continue_into_saturated, reference_at_exposure, soften_grain
from stages.alignment.warp import warp_planes
from stages.frame import AlignedPair, ExposurePair, PixelArray, Planes, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage

_GRAIN_BLUR_PX = 0.8
"""Deviation of the blur that takes the edge off sensor noise before pictures are compared."""


@dataclass(frozen=True)
class FlowConfig:
    """Settings of the alignment by optical flow."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["flow"] = "flow"
    """Alignment by optical flow."""
    working_long_side_px: int = 640
    """Motion and confidence are found on pictures reduced to this long side. Larger is slower and sees smaller
    things."""

    def __post_init__(self) -> None:
        """Refuse sizes at which flow means nothing."""
        if self.working_long_side_px < 64:
            raise ValueError(f"working_long_side_px must be at least 64, got {self.working_long_side_px}")


class FlowAlignment(Stage[ExposurePair, AlignedPair]):
    """Moves the neighbour onto the reference's pixel grid and replaces what cannot be trusted.

    Nothing is carried from pair to pair. The reference passes as it is; a neighbour that stands still and is trusted
    throughout does too.
    """

    Config = FlowConfig

    def __init__(self, config: FlowConfig) -> None:
        self._config = config
        self._motion = MotionEstimator()

    def open(self, info: StreamInfo) -> StreamInfo:
        """Passes the description on: size, depth and time are the reference's."""
        return info

    def process(self, item: ExposurePair) -> Iterable[AlignedPair | Dropped]:
        """One aligned pair for each pair."""
        yield self._align(item)

    def close(self) -> None:
        """Holds nothing."""

    def _align(self, pair: ExposurePair) -> AlignedPair:
        reference, neighbour = pair.reference.planes, pair.neighbour.planes
        working = [fit(planes.luma, self._config.working_long_side_px) for planes in (reference, neighbour)]
        under, over = working if pair.reference_is_under else reversed(working)
        mapping = estimate_mapping(under, over, reference.bit_depth)
        lifted = lookup(under, mapping.under_to_over)
        pictures = [_picture(luma, reference.bit_depth) for luma in (lifted, over)]
        flow, confidence = self._match(*(pictures if pair.reference_is_under else reversed(pictures)))

        moved = warp_planes(neighbour, flow)
        if confidence.min() < 1:
            moved = blend_planes(moved, self._stand_in(pair, mapping, moved, confidence), confidence)
        if pair.reference_is_under:
            return AlignedPair(pair, under=reference, over=moved, confidence=confidence)
        return AlignedPair(pair, under=moved, over=reference, confidence=confidence)

    def _stand_in(
        self, pair: ExposurePair, mapping: IntensityMapping, neighbour: Planes, confidence: Confidence
    ) -> Planes:
        """The reference at the neighbour's exposure."""
        reference = pair.reference.planes
        levels = Levels.of(pair.reference.color, reference.bit_depth)
        if pair.reference_is_under:
            return reference_at_exposure(soften_grain(reference), mapping.under_to_over, levels)
        stand_in = reference_at_exposure(reference, mapping.over_to_under, levels)
        return continue_into_saturated(stand_in, reference, levels, neighbour, confidence)

    def _match(self, reference: Picture, neighbour: Picture) -> tuple[Flow, Confidence]:
        """Motion and trust, from pictures in one exposure's intensities."""
        motion = self._motion.estimate(reference, neighbour)
        return motion.flow, confidence_map(reference, sample(neighbour, motion.flow), motion)


def _picture(luma: PixelArray, bit_depth: int) -> Picture:
    """8 bit, the grain softened."""
    eight_bit = luma if bit_depth == 8 else cv2.convertScaleAbs(luma, alpha=1 / (1 << (bit_depth - 8)))
    return np.asarray(cv2.GaussianBlur(eight_bit, (0, 0), _GRAIN_BLUR_PX), np.uint8)
