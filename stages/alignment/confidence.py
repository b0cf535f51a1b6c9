"""Where the moved neighbour can be trusted.

Three tests, all at the working size: the flow back must undo the flow there; the pictures must agree, in the over
frame's intensities, by more than noise and a slight misplacement explain; the pixel must lie inside the neighbour.
Where an exposure is saturated or black the mapped pictures are flat and agree as far as anyone can tell.

A slight misplacement is all that flow knows of thin things, though. Where it shows, trust falls to ``CHECKED``, and at
full size each pixel is held to what the reference shows (``stages.alignment.plausible``).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow, Picture
from stages.alignment.crew import Crew
from stages.alignment.enlarging import Weight
from stages.alignment.intensity import lookup
from stages.alignment.motion import BELIEVED_PX, DOUBT, REFUTED_PX, FloatArray, Motion, fall, typical_px
from stages.compiling import kernel

Confidence = npt.NDArray[np.float32]
"""(h, w) in [0, 1]; 0 = do not trust the neighbour here."""

_TRUSTED_RESIDUAL, _STRANGE_RESIDUAL = np.float32(2.0), np.float32(8.0)
"""Trusted fully below the first, not at all above the second: what noise and mapping leave unexplained, in 8-bit code
values of the over frame."""
_NOISE_DEVIATIONS = 2.0
_LARGEST_NOISE = 8.0
"""Cap of the noise level, in 8-bit code values: fine texture everywhere looks like noise."""
_SMEAR_SHARE = 0.25
"""Of the motion from frame to frame: to each side, with the longer exposure's shutter open for half the time."""
_LARGEST_REACH_PX = 3
_LEVELS = 16
_ROW_STEP = 4
"""From one of the rows that tell the noise to the next."""
_STRUCTURE = 4
"""Local contrast, in 8-bit code values, from which an agreement means something."""
_RELATED_SHARE = (0.55, 0.7)
"""Trusted share of the structure: below the first, the pair shows two scenes; above the second, one. Measured: 0.95 and
more of one scene, up to 0.55 by chance, since flow finds something alike for every patch."""
_SUPPORT_WINDOW_PX = 21
_SUPPORT_SHARE = (np.float32(0.2), np.float32(0.45))
"""Trusted share of the window: below the first, a pixel is trusted no more; at a straight edge it is half."""
_SOFTENING_PX = 5
CHECKED = np.float32(0.98)
"""Trust from which all of the neighbour is kept; below 1, its pixels are checked one by one."""
_SLIP, _NO_SLIP = np.float32(2), np.float32(1e6)
"""Two pixels that differ by so many times what noise and mapping explain may not belong together."""
_HALF, _UNIT = np.float32(0.5), np.float32(1 / 255)


def confidence_map(
    reference: Picture, neighbour: Picture, motion: Motion, crew: Crew, *, is_smear_known: bool = False
) -> Confidence:
    """Trust in each pixel of the moved neighbour.

    Args:
        reference: in the over frame's intensities.
        neighbour: the same, already moved along ``motion``.
        motion: from the reference to the neighbour.
        crew: does it.
        is_smear_known: the under frame shows the over frame's smear.
    """
    reach_px = 1 if is_smear_known else _reach_px(motion.flow)
    within = _within(motion.flow)
    explained, outside = crew.both(
        lambda: _explained(reference, neighbour),
        lambda: _residual(reference, neighbour, reach_px),
    )
    _weigh(reference, neighbour, _NO_SLIP if reach_px > 1 else _SLIP, within, outside, explained)
    residual = np.asarray(cv2.boxFilter(explained, cv2.CV_32F, (3, 3)), np.float32)
    # Slips are no longer needed: their place is taken.
    trust = outside
    _judge(residual, motion.round_trip_px, within, trust)
    related = _related(trust, within, reference, neighbour)
    confidence = within
    _limit(_soften(trust), np.float32(related), confidence)
    return confidence


def _explained(reference: Picture, neighbour: Picture) -> FloatArray:
    """(h, w) difference that noise and mapping explain."""
    return lookup(reference, np.float32(_NOISE_DEVIATIONS) * _noise(reference, neighbour) + DOUBT)


@kernel
def _weigh(
    reference: Picture,
    neighbour: Picture,
    slip: np.float32,
    within: FloatArray,
    outside: Picture,
    explained: FloatArray,
) -> None:
    """Leaves in place of what is explained what is not of a residual, in the residual's 1 for a slip, else 0.

    Outside the neighbour nothing is left to explain.
    """
    for y in range(outside.shape[0]):
        for x in range(outside.shape[1]):
            known = explained[y, x]
            unexplained = max(np.float32(outside[y, x]) - known, np.float32(0))
            explained[y, x] = unexplained if within[y, x] > 0 else np.float32(0)
            difference = abs(np.float32(reference[y, x]) - np.float32(neighbour[y, x]))
            outside[y, x] = difference > slip * known


@kernel
def _judge(residual: FloatArray, round_trip_px: FloatArray, within: FloatArray, trust: Weight) -> None:
    """Leaves in place of slips the trust by both tests.

    It is full outside the neighbour, so that no distrust grows from there.
    """
    for y in range(trust.shape[0]):
        for x in range(trust.shape[1]):
            undone = fall(round_trip_px[y, x], BELIEVED_PX, REFUTED_PX)
            agreed = fall(residual[y, x], _TRUSTED_RESIDUAL, _STRANGE_RESIDUAL) * undone
            agreed = min(agreed, np.float32(1) - np.float32(trust[y, x]) * (np.float32(1) - CHECKED))
            trust[y, x] = np.int32(np.float32(255) * agreed + _HALF) if within[y, x] > 0 else 255


@kernel
def _limit(trust: Weight, related: np.float32, within: FloatArray) -> None:
    """Leaves trust, scaled, in place of what lies within the neighbour."""
    for y in range(trust.shape[0]):
        for x in range(trust.shape[1]):
            within[y, x] *= related * _UNIT * np.float32(trust[y, x])


def _within(flow: Flow) -> FloatArray:
    """(h, w) in [0, 1], whether the flow ends inside the neighbour: 1 up to its outermost pixels, 0 from its border on.

    What lies at the border was seen all the same: distrust that grew inwards from where nothing is known would lose it.
    """
    within = np.empty(flow.shape[:2], np.float32)
    _measure_within(np.ascontiguousarray(flow), within)
    return within


@kernel
def _measure_within(flow: Flow, within: FloatArray) -> None:
    height, width = within.shape
    right, bottom = np.float32(width) - _HALF, np.float32(height) - _HALF
    for y in range(height):
        steps, shares = flow[y].reshape(-1), within[y]
        for x in range(width):
            across, down = np.float32(x) + steps[2 * x], np.float32(y) + steps[2 * x + 1]
            inside = min(min(across + _HALF, right - across), min(down + _HALF, bottom - down))
            shares[x] = min(max(inside / _HALF, np.float32(0)), np.float32(1))


def is_smeared(flow: Flow) -> bool:
    """Whether the camera moves so fast that a long shutter shows no pixel as a short one does."""
    return _reach_px(flow) > 1


def _reach_px(flow: Flow) -> int:
    """How far a misplacement can be slight: a pixel, and what a moving camera's shutter smears."""
    return round(min(max(_SMEAR_SHARE * typical_px(flow), 1), _LARGEST_REACH_PX))


def _residual(reference: Picture, neighbour: Picture, reach_px: int) -> Picture:
    """How far each picture's pixel lies outside what the other shows around it, the larger of both."""
    box = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    outside = np.zeros_like(reference)
    for point, around in ((reference, neighbour), (neighbour, reference)):
        outside = np.maximum(outside, cv2.subtract(point, cv2.dilate(around, box)))
        outside = np.maximum(outside, cv2.subtract(cv2.erode(around, box), point))
    return outside


def _noise(reference: Picture, neighbour: Picture) -> FloatArray:
    """Deviation of the difference of the two by noise, for each code value; from its fine grain at each level."""
    variance = np.zeros(256)
    for picture in (reference, neighbour):
        grain = cv2.absdiff(picture, cv2.blur(picture, (3, 3)))
        rows = [plane[::_ROW_STEP] for plane in (picture, grain)]
        counts = cv2.calcHist(rows, [0, 1], None, [_LEVELS, 32], [0, 256, 0, 32])
        ranks = np.cumsum(counts, axis=1)
        median = np.argmax(ranks >= ranks[:, -1:] / 2, axis=1)
        centres = (np.arange(_LEVELS) + 0.5) * 256 / _LEVELS
        known = ranks[:, -1] >= 32
        if known.any():
            variance += (1.48 * np.interp(np.arange(256), centres[known], median[known])) ** 2
    return np.minimum(np.sqrt(variance), _LARGEST_NOISE).astype(np.float32)


def _related(trust: Weight, within: FloatArray, reference: Picture, neighbour: Picture) -> float:
    """In [0, 1]: whether enough of what has structure agrees for the two to show one scene."""
    box = np.ones((3, 3), np.uint8)
    # Every second pixel each way says as much.
    contrast = np.maximum(*(cv2.morphologyEx(p[::2, ::2], cv2.MORPH_GRADIENT, box) for p in (reference, neighbour)))
    trusted, structured = _count_trusted(contrast, trust, within)
    if structured == 0:
        return 1.0
    low, high = _RELATED_SHARE
    return float(np.clip((trusted / structured - low) / (high - low), 0, 1))


@kernel
def _count_trusted(contrast: Picture, trust: Weight, within: FloatArray) -> tuple[float, float]:
    """Trust summed up where every second pixel inside the neighbour has structure, and how many have."""
    trusted = structured = np.float32(0)
    for y in range(contrast.shape[0]):
        for x in range(contrast.shape[1]):
            share = np.float32((contrast[y, x] > _STRUCTURE) & (within[2 * y, 2 * x] > 0))
            trusted += share * _UNIT * np.float32(trust[2 * y, 2 * x])
            structured += share
    return float(trusted), float(structured)


@kernel
def _support(around: Weight, trust: Weight) -> None:
    """Takes trust from specks that agree by chance amid what does not."""
    for y in range(trust.shape[0]):
        for x in range(trust.shape[1]):
            supported = np.float32(1) - fall(_UNIT * np.float32(around[y, x]), *_SUPPORT_SHARE)
            trust[y, x] = np.int32(supported * np.float32(trust[y, x]) + _HALF)


def _soften(trust: Weight) -> Weight:
    """Distrust grown by a little and faded out, so that the seam falls on trusted ground."""
    size = (_SOFTENING_PX, _SOFTENING_PX)
    surely = np.asarray(cv2.erode(trust, np.ones(size, np.uint8)), np.uint8)
    window = (_SUPPORT_WINDOW_PX, _SUPPORT_WINDOW_PX)
    _support(np.asarray(cv2.blur(surely, window, borderType=cv2.BORDER_REPLICATE), np.uint8), surely)
    return np.asarray(cv2.blur(surely, size), np.uint8)
