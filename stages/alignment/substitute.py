"""What stands in for the neighbour where it cannot be trusted: the reference, brought to the neighbour's exposure.

A saturated reference holds little to bring: see ``stages.alignment.continuation``.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.confidence import Confidence
from stages.alignment.continuation import FILL_SIZE_PX, continue_saturated, find_saturated, thumbnails
from stages.alignment.crew import Crew
from stages.alignment.enlarging import widened_weights
from stages.alignment.levels import Levels
from stages.alignment.resampling import fit
from stages.alignment.standin import REACH_PX, lay_chroma, lay_luma
from stages.frame import PixelArray, Planes

GAIN_LIMITS = (0.25, 4.0)
"""Two stops of encoded signal either way; beyond, colour is mostly noise."""
FADE_SHARE = 0.08
"""Part of the range from black to white below white in which colour fades out: a saturated pixel is white."""
LUMA_GRAIN_PX, CHROMA_GRAIN_PX = 0.7, 1.0
"""Deviations of the blur of a frame that is lifted by some stops, which would show its noise multiplied: measured,
+2 dB at 4.5 stops and strong noise, -0.05 dB at 3 stops and little."""
COLORED_SHARE = 0.1
"""Of the range from black to white."""
SATURATED_SHARES = (0.92, 0.98)
"""Of the range from black to white: up to the first a pixel speaks for itself, from the second it is saturated."""


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
    excess: npt.NDArray[np.float32] | None = None,
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
        excess: (any height, any width) code values that its colours add to the curve's; None adds nothing.
    """
    saturating = saturating_codes(levels)
    values, gains = curve.astype(np.float32), chroma_gains(curve, levels)
    luma_taps, chroma_taps = (
        filter_taps(grain_px if reference_is_under else 0) for grain_px in (LUMA_GRAIN_PX, CHROMA_GRAIN_PX)
    )
    small = fit(confidence, FILL_SIZE_PX)
    saturated, (other, (full, half)) = crew.both(
        lambda: None if reference_is_under else find_saturated(reference, small, saturating, crew),
        lambda: (
            None if reference_is_under else thumbnails(neighbour, *small.shape),
            widened_weights(confidence, neighbour, crew),
        ),
    )
    continuation = np.empty((3, 0, 0), np.float32)
    if saturated is not None and other is not None:
        continuation = continue_saturated(saturated, other, values, gains, neighbour.max_value, crew)
    coloring = np.int32(levels.grey), np.int32(colored_codes(levels)), reference_is_under
    added = np.empty((1, 0, 0), np.float32) if excess is None else excess[None]
    bounds = np.empty((2, 0), curve.dtype) if plausible is None else plausible

    def work_luma(start: int, end: int) -> None:
        own, target = reference.luma, neighbour.luma
        lay_luma(
            own,
            values,
            added,
            luma_taps,
            saturating,
            continuation,
            bounds,
            reference.chroma,
            coloring,
            full,
            target,
            start,
            end,
        )

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

    crew.rows((neighbour.luma.shape, work_luma), (neighbour.chroma.shape[1:], work_chroma))


def saturating_codes(levels: Levels) -> tuple[np.float32, np.float32]:
    """Luma up to which a pixel speaks for itself, and from which it is saturated."""
    low, high = SATURATED_SHARES
    return np.float32(levels.black + low * levels.span), np.float32(levels.black + high * levels.span)


def colored_codes(levels: Levels) -> int:
    """Sum of both colour differences above which luma is not that of grey at another exposure."""
    return round(COLORED_SHARE * levels.span)


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
