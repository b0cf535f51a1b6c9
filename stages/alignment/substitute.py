"""What stands in for the neighbour where it cannot be trusted: the reference, brought to the neighbour's exposure.

A saturated reference holds nothing to bring; there the trusted parts of the neighbour around it speak.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.blend import enlarged_weight
from stages.alignment.confidence import Confidence
from stages.alignment.crew import Crew
from stages.alignment.curve import through_curve
from stages.alignment.fill import fill_from_surroundings
from stages.alignment.levels import Levels
from stages.alignment.resampling import enlarge, fit, resize
from stages.compiling import kernel
from stages.frame import PixelArray, Planes

_GAIN_LIMITS = (0.25, 4.0)
"""Two stops of encoded signal either way; beyond, colour is mostly noise."""
_FADE_SHARE = 0.08
"""Part of the range from black to white below white in which colour fades out: a saturated pixel is white."""
_LUMA_GRAIN_PX, _CHROMA_GRAIN_PX = 0.7, 1.0
"""Deviations of the blur: measured, +2 dB at 4.5 stops and strong noise, -0.05 dB at 3 stops and little."""
_SATURATED_SHARES = (0.92, 0.98)
"""Of the range from black to white: up to the first a pixel speaks for itself, from the second it is saturated."""
_UNIT = np.float32(1 / 255)
_FILL_SIZE_PX = 320
_REACH_SHARE = 0.05
"""Deviation, as a share of the long side, of the neighbourhood that is asked."""
_ENOUGH_KNOWN_SHARE = 0.1
"""Of the neighbourhood: with less trusted saturated content in it, it has less of a say."""


def reference_at_exposure(reference: Planes, curve: PixelArray, levels: Levels, crew: Crew) -> Planes:
    """The reference through the intensity mapping.

    Args:
        reference: what to bring to the neighbour's exposure.
        curve: for each luma code value of the reference that of the neighbour.
        levels: of the code values.
        crew: does it.
    """
    return through_curve(reference, curve, chroma_gains(curve, levels), crew)


def soften_grain(planes: Planes, crew: Crew) -> Planes:
    """Slightly blurred: a frame about to be lifted by some stops would show its noise multiplied.

    The result is valid until the next is asked for.
    """
    luma = crew.scratch("soft luma", planes.luma.shape, planes.luma.dtype)
    chroma = crew.scratch("soft chroma", planes.chroma.shape, planes.chroma.dtype)

    def soften_chroma() -> None:
        for source, target in zip(planes.chroma, chroma, strict=True):
            cv2.GaussianBlur(source, (0, 0), _CHROMA_GRAIN_PX, dst=target)

    crew.both(lambda: cv2.GaussianBlur(planes.luma, (0, 0), _LUMA_GRAIN_PX, dst=luma), soften_chroma)
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
    stand_in: Planes, reference: Planes, levels: Levels, neighbour: Planes, confidence: Confidence, crew: Crew
) -> None:
    """Continues the saturated parts of the stand-in, in place, from trusted saturated parts around them.

    Args:
        stand_in: the reference at the neighbour's exposure.
        reference: tells what is saturated.
        levels: of the code values.
        neighbour: on the reference's pixel grid.
        confidence: where the neighbour can be trusted.
        crew: does it.
    """
    low, high = (np.float32(levels.black + share * levels.span) for share in _SATURATED_SHARES)
    small_confidence = fit(confidence, _FILL_SIZE_PX)
    size = small_confidence.shape
    saturated = np.clip((_thumbnail(reference.luma, *size) - low) / (high - low), 0, 1)
    known = saturated.astype(np.float32) * small_confidence
    say = cv2.GaussianBlur(known, (0, 0), _REACH_SHARE * max(size)) / np.float32(_ENOUGH_KNOWN_SHARE)
    if say.max() < 1:
        return
    planes = [_thumbnail(plane, *size) for plane in (neighbour.luma, *neighbour.chroma)]
    filled = fill_from_surroundings(np.stack(planes, axis=-1).astype(np.float32), known)
    picture: list[Any] = [np.rint(filled[..., channel]).astype(stand_in.luma.dtype) for channel in range(3)]
    weight = np.minimum(say, 1).astype(np.float32)

    full = enlarged_weight(weight, stand_in.luma.shape, crew)
    _continue(stand_in.luma, reference.luma, (low, high), picture[0], full, crew)
    small = resize(reference.luma, *stand_in.chroma.shape[1:])
    for target, plane in zip(stand_in.chroma, picture[1:], strict=True):
        _continue(target, small, (low, high), plane, full[::2, ::2], crew)


def _thumbnail(plane: PixelArray, height: int, width: int) -> PixelArray:
    """A plane much reduced, from every so many pixels: all of them would say the same."""
    step = max(1, plane.shape[1] // (2 * width))
    spots: Any = np.ascontiguousarray(plane[::step, ::step])
    reduced: PixelArray = resize(spots, height, width)
    return reduced


def _continue(
    target: PixelArray,
    reference: PixelArray,
    saturating: tuple[np.float32, np.float32],
    picture: PixelArray,
    weight: npt.NDArray[np.uint8],
    crew: Crew,
) -> None:
    full = crew.scratch(f"continued {target.shape}", target.shape, target.dtype)
    enlarge(picture, full)
    crew.rows(target.shape, lambda *rows: _continue_rows(target, reference, *saturating, full, weight, *rows))


@kernel
def _continue_rows(
    target: PixelArray,
    reference: PixelArray,
    low: np.float32,
    high: np.float32,
    picture: PixelArray,
    weight: npt.NDArray[np.uint8],
    start: int,
    end: int,
) -> None:
    for y in range(start, end):
        for x in range(target.shape[1]):
            saturated = min(max((np.float32(reference[y, x]) - low) / (high - low), np.float32(0)), np.float32(1))
            own = np.float32(target[y, x])
            share = np.float32(weight[y, x]) * _UNIT * saturated
            target[y, x] = np.int32(own + share * (np.float32(picture[y, x]) - own) + np.float32(0.5))
