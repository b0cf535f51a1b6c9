"""Comparing two frames that may differ in exposure, in content, or in both."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.frame import Exposure
from stages.pairing.signature import BRIGHTEST, DARKEST, Floats, Signature

_FLOOR = float(np.log2(DARKEST))
_CEILING = float(np.log2(BRIGHTEST))
_ENOUGH = 0.05
"""Share of the picture that must be well exposed in both frames to measure a shift."""
_MOTION = (3, 2)
"""Blocks (x, y) that the content may move by within a scene: a tenth of the picture."""
_FAINT = 0.15
"""Stops: contrast between blocks below this is noise, not content."""


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much more one frame is exposed than another."""

    stops: float
    """log2 of the ratio of exposures, positive when the second frame is brighter."""
    is_exact: bool = True
    """False when hardly anything is well exposed in both frames: ``stops`` is then a lower bound."""


def shift_of_metadata(first: Exposure, second: Exposure) -> Shift:
    """The exposure of ``second`` over that of ``first``, as the camera reports them."""
    return Shift(float(np.log2(second.time_us * second.gain) - np.log2(first.time_us * first.gain)))


def shift_of_brightness(first: Signature, second: Signature) -> Shift:
    """The exposure of ``second`` over that of ``first``, as the pictures show it.

    Equal quantiles of two frames of one scene show the same light, wherever it has moved: the shift is the
    weighted median of their log ratio over the quantiles that are well exposed in both frames.
    """
    change = second.quantiles - first.quantiles
    weight = np.minimum(_well_exposed(first.quantiles), _well_exposed(second.quantiles))
    total = float(weight.sum())
    if total < _ENOUGH * weight.size:
        low, high = np.quantile(change, [0.1, 0.9])
        return Shift(float(low if -low > high else high), is_exact=False)
    order = np.argsort(change)
    middle = int(np.searchsorted(np.cumsum(weight[order]), total / 2))
    return Shift(float(change[order][middle]))


def _well_exposed(light: Floats) -> Floats:
    """1 where log2 light can be trusted, falling to 0 towards black and white."""
    weight: Floats = np.clip(np.minimum(light - _FLOOR, 2 * (_CEILING - light)), 0, 1)
    return weight


def dissimilarity(first: Signature, second: Signature, shift_stops: float) -> float:
    """How different the content is: 0 for the same scene, about 2 for unrelated ones.

    Both frames are brought to the brighter one's exposure and limited to what both can show, so that a
    change of exposure (``shift_stops``, first to second) does not count; the best of the small
    displacements is taken, so that motion counts little; the mean squared difference is then set in
    proportion to the contrast of the two, so that dim and flat scenes are judged like any other.
    """
    floor = min(0.0, _FLOOR + abs(shift_stops))
    pictures = []
    for blocks, lift in ((first.blocks, max(shift_stops, 0.0)), (second.blocks, max(-shift_stops, 0.0))):
        common = np.clip(blocks + np.float32(lift), floor, 0)
        smooth = cv2.GaussianBlur(common, (0, 0), 1.0)
        pictures.append((smooth - np.median(smooth)).astype(np.float32))
    here, there = pictures
    x, y = _MOTION
    core = there[y:-y, x:-x]
    difference = cv2.matchTemplate(here, core, cv2.TM_SQDIFF).min() / core.size
    contrast = (here.var() + core.var()) / 2 + _FAINT**2
    return float(max(difference, 0) / contrast)
