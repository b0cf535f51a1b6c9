"""What stands in for the neighbour where it cannot be trusted: the reference, brought to the neighbour's exposure.

A saturated reference holds little to bring. The mapping is asked for the mean of saturated surroundings there, since
from nearly white to white it rises so steeply that for single pixels it would tell their noise; and trusted saturated
parts of the neighbour around it say by how much it is off.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.confidence import Confidence
from stages.alignment.crew import Crew
from stages.alignment.enlarging import widened_weights
from stages.alignment.fill import FloatImage, fill_from_surroundings
from stages.alignment.levels import Levels
from stages.alignment.resampling import fit, reduce, resize
from stages.alignment.saturation import correct, map_evened, weigh_saturated
from stages.alignment.standin import REACH_PX, lay_chroma, lay_luma
from stages.frame import PixelArray, Planes

GAIN_LIMITS = (0.25, 4.0)
"""Two stops of encoded signal either way; beyond, colour is mostly noise."""
FADE_SHARE = 0.08
"""Part of the range from black to white below white in which colour fades out: a saturated pixel is white."""
LUMA_GRAIN_PX, CHROMA_GRAIN_PX = 0.7, 1.0
"""Deviations of the blur of a frame that is lifted by some stops, which would show its noise multiplied: measured,
+2 dB at 4.5 stops and strong noise, -0.05 dB at 3 stops and little."""
SATURATED_SHARES = (0.92, 0.98)
"""Of the range from black to white: up to the first a pixel speaks for itself, from the second it is saturated."""
FILL_SIZE_PX = 320
SMOOTH_SIZE_PX = 80
REACH_SHARE = 0.05
"""Deviation, as a share of the long side, of the neighbourhood that is asked."""
ENOUGH_KNOWN_SHARE = 0.1
"""Of the neighbourhood: with less trusted saturated content in it, it has less of a say."""
EVENNESS_SHARE = 1 / 160
"""Deviation, as a share of the long side, of the surroundings over which saturated tones are averaged."""
_NOTHING = np.empty((3, 0, 0), np.float32)
FAINT = 1e-3
"""Weight of a pixel's own tone in that mean: it counts where nothing around is saturated."""


def replace_untrusted(
    neighbour: Planes,
    reference: Planes,
    confidence: Confidence,
    curve: PixelArray,
    plausible: PixelArray | None,
    levels: Levels,
    crew: Crew,
    *,
    reference_is_under: bool,
) -> None:
    """Lays the reference, brought to the neighbour's exposure, over what cannot be trusted.

    Where trust is not full, luma is held to what is plausible.

    Args:
        neighbour: on the reference's pixel grid; written to.
        reference: of the same size and depth.
        confidence: where the neighbour can be trusted.
        curve: for each luma code value of the reference that of the neighbour.
        plausible: (2, code values) the lowest and the highest luma for each of the reference's; None holds nothing.
        levels: of the code values.
        crew: does it.
        reference_is_under: it is to be lifted; otherwise lowered.
    """
    saturating = saturating_codes(levels)
    values, gains = curve.astype(np.float32), chroma_gains(curve, levels)
    luma_taps, chroma_taps = (
        filter_taps(grain_px if reference_is_under else 0) for grain_px in (LUMA_GRAIN_PX, CHROMA_GRAIN_PX)
    )
    continuation, (full, half) = crew.both(
        lambda: (
            _NOTHING
            if reference_is_under
            else _continued(neighbour, reference, confidence, values, gains, saturating, crew)
        ),
        lambda: widened_weights(confidence, neighbour, crew),
    )
    bounds = np.empty((2, 0), curve.dtype) if plausible is None else plausible

    def work_luma(start: int, end: int) -> None:
        own, target = reference.luma, neighbour.luma
        lay_luma(own, values, luma_taps, saturating, continuation, bounds, full, target, start, end)

    def work_chroma(start: int, end: int) -> None:
        for channel in range(2):
            own, target = reference.chroma[channel], neighbour.chroma[channel]
            lay_chroma(
                own,
                reference.luma,
                gains,
                chroma_taps,
                saturating,
                continuation,
                1 + channel,
                reference.max_value,
                half,
                target,
                start,
                end,
            )

    crew.rows(neighbour.luma.shape, work_luma)
    crew.rows(neighbour.chroma.shape[1:], work_chroma)


def _continued(
    neighbour: Planes,
    reference: Planes,
    confidence: Confidence,
    values: FloatImage,
    gains: FloatImage,
    saturating: tuple[np.float32, np.float32],
    crew: Crew,
) -> FloatImage:
    """``_continuation`` of a reference, empty where it is not saturated anywhere."""
    trust = fit(confidence, FILL_SIZE_PX)
    own = _thumbnails(reference, *trust.shape)
    weighted = crew.scratch("saturated", (*trust.shape, 4), np.float32)
    if not weigh_saturated(own, saturating, weighted):
        return _NOTHING
    return _continuation(weighted, own, neighbour, trust, values, gains, crew)


def saturating_codes(levels: Levels) -> tuple[np.float32, np.float32]:
    """Luma up to which a pixel speaks for itself, and from which it is saturated."""
    low, high = SATURATED_SHARES
    return np.float32(levels.black + low * levels.span), np.float32(levels.black + high * levels.span)


def filter_taps(deviation_px: float) -> npt.NDArray[np.float32]:
    """Gaussian weights from the middle outwards; of a deviation of 0 the middle has all."""
    if deviation_px == 0:
        taps = np.zeros(REACH_PX + 1, np.float32)
        taps[0] = 1
        return taps
    column = cv2.getGaussianKernel(2 * REACH_PX + 1, deviation_px, cv2.CV_32F)
    return np.asarray(column[REACH_PX:, 0].copy(), np.float32)


def chroma_gains(curve: PixelArray, levels: Levels) -> npt.NDArray[np.float32]:
    """For each luma code value of the reference the factor on its colour differences.

    A power-law encoded signal scales by one factor in luma and colour when the exposure changes, so the factor is
    that of the luma above black, bounded; towards white it fades to 0.
    """
    source = np.arange(curve.size, dtype=np.float32) - levels.black
    target = curve.astype(np.float32) - levels.black
    gain = np.clip(target / np.maximum(source, 1), *GAIN_LIMITS)
    fade = np.clip((levels.span - target) / (FADE_SHARE * levels.span), 0, 1)
    return np.asarray(gain * fade, np.float32)


def _continuation(
    weighted: FloatImage,
    own: PixelArray,
    neighbour: Planes,
    confidence: FloatImage,
    values: FloatImage,
    gains: FloatImage,
    crew: Crew,
) -> FloatImage:
    """(3, h, w) what to take the neighbour for where the reference is saturated, as ``lay_luma`` takes it.

    Args:
        weighted: (h, w, 4) as ``weigh_saturated`` leaves it.
        own: (h, w, 3) the reference.
        neighbour: on its pixel grid.
        confidence: (h, w) where the neighbour can be trusted.
        values: for each luma code value of the reference that of the neighbour.
        gains: for each the factor on the colour differences.
        crew: lends memory.
    """
    height, width = confidence.shape
    known = weighted[..., 3] * confidence
    # So smooth a map is as good made of few pixels.
    few = fit(known, SMOOTH_SIZE_PX)
    around = cv2.GaussianBlur(few, (0, 0), REACH_SHARE * max(few.shape))
    say = np.minimum(resize(np.asarray(around, np.float32), height, width) / np.float32(ENOUGH_KNOWN_SHARE), 1)
    even = crew.scratch("even", weighted.shape, np.float32)
    cv2.GaussianBlur(weighted, (0, 0), EVENNESS_SHARE * max(height, width), dst=even)
    mapped, miss = (crew.scratch(purpose, own.shape, np.float32) for purpose in ("mapped", "miss"))
    middle, top = np.float32((neighbour.max_value + 1) // 2), np.float32(neighbour.max_value)
    other = _thumbnails(neighbour, height, width)
    map_evened(own, even, values, gains, middle, np.float32(FAINT), other, mapped, miss)
    # The mapping knows what is nearly white from what is white, the surroundings how bright white is here.
    continued = crew.scratch("continuation", (3, height, width), np.float32)
    correct(mapped, say, fill_from_surroundings(miss, known), top, continued)
    return continued


def thumbnail_step(full: int, width: int) -> int:
    """From one of the pixels that are asked to the next, for a plane and a thumbnail so wide."""
    return max(1, full // (2 * width))


def _thumbnails(planes: Planes, height: int, width: int) -> PixelArray:
    """(height, width, 3) luma and both colour differences."""
    thumbnails: Any = [_thumbnail(plane, height, width) for plane in (planes.luma, *planes.chroma)]
    merged: Any = cv2.merge(thumbnails)
    return np.asarray(merged)


def _thumbnail(plane: PixelArray, height: int, width: int) -> PixelArray:
    """A plane much reduced, from every so many pixels: all of them would say the same."""
    step = thumbnail_step(plane.shape[1], width)
    spots: Any = np.ascontiguousarray(plane[::step, ::step])
    return reduce(spots, height, width)
