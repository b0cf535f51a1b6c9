"""What stands in for the neighbour where it cannot be trusted: the reference, brought to the neighbour's exposure.

A saturated reference holds nothing to bring; there the trusted parts of the neighbour around it speak.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.blend import blend_planes
from stages.alignment.confidence import Confidence
from stages.alignment.fill import FloatImage, fill_from_surroundings
from stages.alignment.intensity import lookup
from stages.alignment.levels import Levels
from stages.alignment.resampling import fit, resize
from stages.frame import PixelArray, Planes

_GAIN_LIMITS = (0.25, 4.0)
"""Two stops of encoded signal either way; beyond, colour is mostly noise."""
_FADE_SHARE = 0.08
"""Part of the range from black to white below white in which colour fades out: a saturated pixel is white."""
_LUMA_GRAIN_PX, _CHROMA_GRAIN_PX = 0.7, 1.0
"""Deviations of the blur: measured, +2 dB at 4.5 stops and strong noise, -0.05 dB at 3 stops and little."""
_SATURATED_SHARES = (0.92, 0.98)
"""Of the range from black to white: up to the first a pixel speaks for itself, from the second it is saturated."""
_FILL_SIZE_PX = 320
_REACH_SHARE = 0.05
"""Deviation, as a share of the long side, of the neighbourhood that is asked."""
_ENOUGH_KNOWN_SHARE = 0.1
"""Of the neighbourhood: with less trusted saturated content in it, it has less of a say."""


def reference_at_exposure(reference: Planes, curve: PixelArray, levels: Levels) -> Planes:
    """The reference through the intensity mapping.

    Args:
        reference: what to bring to the neighbour's exposure.
        curve: for each luma code value of the reference that of the neighbour.
        levels: of the code values.
    """
    luma = lookup(reference.luma, curve)
    gain = lookup(resize(reference.luma, *reference.chroma.shape[1:]), chroma_gains(curve, levels))
    middle = np.float32((reference.max_value + 1) // 2)
    chroma = np.rint((reference.chroma - middle) * gain + middle)
    clipped: Any = np.clip(chroma, 0, reference.max_value).astype(luma.dtype)
    return Planes(luma, clipped, reference.bit_depth)


def soften_grain(planes: Planes) -> Planes:
    """Slightly blurred: a frame about to be lifted by some stops would show its noise multiplied."""
    luma: Any = cv2.GaussianBlur(planes.luma, (0, 0), _LUMA_GRAIN_PX)
    chroma: Any = np.stack([cv2.GaussianBlur(plane, (0, 0), _CHROMA_GRAIN_PX) for plane in planes.chroma])
    return Planes(luma, chroma, planes.bit_depth)


def chroma_gains(curve: PixelArray, levels: Levels) -> npt.NDArray[np.float32]:
    """For each luma code value of the reference the factor on its colour differences.

    A power-law encoded signal scales by one factor in luma and colour when the exposure changes, so the factor is
    that of the luma above black, bounded; towards white it fades to 0.
    """
    source = np.arange(curve.size, dtype=np.float32) - levels.black
    target = curve.astype(np.float32) - levels.black
    gain = np.clip(target / np.maximum(source, 1), *_GAIN_LIMITS)
    fade = np.clip((levels.span - target) / (_FADE_SHARE * levels.span), 0, 1)
    return np.asarray(gain * fade, np.float32)


def continue_into_saturated(
    stand_in: Planes, reference: Planes, levels: Levels, neighbour: Planes, confidence: Confidence
) -> Planes:
    """The stand-in with its saturated parts continued from trusted saturated parts around them.

    Args:
        stand_in: the reference at the neighbour's exposure.
        reference: tells what is saturated.
        levels: of the code values.
        neighbour: on the reference's pixel grid.
        confidence: where the neighbour can be trusted.
    """
    codes = np.arange(reference.max_value + 1, dtype=np.float32)
    shares = (codes - levels.black) / levels.span
    low, high = _SATURATED_SHARES
    saturation = np.clip((shares - low) / (high - low), 0, 1).astype(np.float32)

    small_confidence = fit(confidence, _FILL_SIZE_PX)
    size = small_confidence.shape
    known = lookup(resize(reference.luma, *size), saturation) * small_confidence
    say = cv2.GaussianBlur(known, (0, 0), _REACH_SHARE * max(size)) / np.float32(_ENOUGH_KNOWN_SHARE)
    if say.max() < 1:
        return stand_in
    planes = [resize(plane, *size) for plane in (neighbour.luma, *neighbour.chroma)]
    filled = fill_from_surroundings(np.stack(planes, axis=-1).astype(np.float32), known)
    weight = resize(np.minimum(say, 1).astype(np.float32), *reference.luma.shape) * lookup(reference.luma, saturation)
    return blend_planes(_enlarged(filled, reference), stand_in, weight)


def _enlarged(picture: FloatImage, like: Planes) -> Planes:
    """A small (h, w, 3) picture of luma, Cb, Cr at the size and depth of another."""
    whole: Any = np.clip(np.rint(picture), 0, like.max_value).astype(like.luma.dtype)
    luma = resize(np.ascontiguousarray(whole[..., 0]), *like.luma.shape)
    chroma = resize(np.ascontiguousarray(whole[..., 1:]), *like.chroma.shape[1:])
    return Planes(luma, np.ascontiguousarray(chroma.transpose(2, 0, 1)), like.bit_depth)
