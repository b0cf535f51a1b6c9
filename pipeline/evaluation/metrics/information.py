"""VIFF: how much of the visual information in the sources a fused picture carries over.

Y. Han, Y. Cai, Y. Cao, X. Xu, "A new image fusion performance metric based on visual information fidelity",
Information Fusion 14(2), 2013. It builds on VIF in the pixel domain: H. R. Sheikh, A. C. Bovik, "Image information and
visual quality", IEEE TIP 15(2), 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.evaluation.picture import FloatMap

SMALLEST_SIDE = 41
"""Pixels that four scales need."""
NOISE_VARIANCE = 0.005 * 255**2
"""Of the eye, on a scale of 0 to 255."""

_WINDOWS = (17, 9, 5, 3)
"""Sides of the Gaussian windows, finest scale first."""
_SCALE_WEIGHTS = np.array([1.0, 0.0, 0.15, 1.0]) / 2.15
_TINY = 1e-10
_NOTHING = 1e-7


@dataclass(frozen=True, slots=True)
class Information:
    """At one scale, in log10 units at every position where the whole window fits."""

    preserved: FloatMap
    """What the eye finds of the source in the fused picture."""
    present: FloatMap
    """What it finds in the source itself."""
    gain: FloatMap
    """Contrast of the source's structure in the fused picture, 1 = unchanged."""


def viff(first: FloatMap, second: FloatMap, fused: FloatMap) -> float:
    """VIFF of fused lightness; 1 = all that the sources show, more where contrast was raised.

    Args:
        first: lightness (height, width) from 0 to 100, at least 41 x 41.
        second: the same.
        fused: the same.
    """
    scores = []
    scaled = [np.asarray(lightness * np.float32(2.55), np.float32) for lightness in (first, second, fused)]
    of_both = (visual_information(source, scaled[2], NOISE_VARIANCE) for source in scaled[:2])
    for of_first, of_second in zip(*of_both, strict=True):
        # Of the two, the source whose structure was lowered more: the fused picture is held to the stronger one.
        lower = of_first.gain < of_second.gain
        preserved = np.where(lower, of_first.preserved, of_second.preserved) + _NOTHING
        present = np.where(lower, of_first.present, of_second.present) + _NOTHING
        scores.append(preserved.sum(dtype=np.float64) / present.sum(dtype=np.float64))
    return float(_SCALE_WEIGHTS @ scores)


def visual_information(source: FloatMap, fused: FloatMap, noise_variance: float) -> list[Information]:
    """Both sides of VIF at four scales; their sums' ratio over all scales is VIF itself.

    Args:
        source: (height, width) from 0 to 255.
        fused: the same.
        noise_variance: of the eye; VIF has 2, VIFF has ``NOISE_VARIANCE``.
    """
    scales: list[Information] = []
    # Variances are differences of squares, which lose digits far from 0.
    source, fused = source - np.float32(128), fused - np.float32(128)
    for window in _WINDOWS:
        if scales:
            source, fused = _mean(source, window)[::2, ::2], _mean(fused, window)[::2, ::2]
        scales.append(_at_one_scale(source, fused, window, noise_variance))
    return scales


def _at_one_scale(source: FloatMap, fused: FloatMap, window: int, noise_variance: float) -> Information:
    source_mean, fused_mean = _mean(source, window), _mean(fused, window)
    source_variance = np.maximum(_mean(source * source, window) - source_mean * source_mean, 0)
    fused_variance = np.maximum(_mean(fused * fused, window) - fused_mean * fused_mean, 0)
    covariance = _mean(source * fused, window) - source_mean * fused_mean
    # The model of a distortion: the source's structure times a gain, plus noise.
    gain = np.asarray(covariance / (source_variance + np.float32(_TINY)), np.float32)
    gain[(source_variance < _TINY) | (fused_variance < _TINY) | (gain < 0)] = 0
    added = np.maximum(fused_variance - gain * covariance, np.float32(_TINY))
    noise = np.float32(noise_variance)
    preserved = np.asarray(np.log10(1 + gain * gain * source_variance / (added + noise)), np.float32)
    return Information(preserved, np.asarray(np.log10(1 + source_variance / noise), np.float32), gain)


def _mean(picture: FloatMap, window: int) -> FloatMap:
    """Means under a Gaussian window, where all of it lies within the picture."""
    taps = cv2.getGaussianKernel(window, window / 5, cv2.CV_32F)
    half = window // 2
    return np.asarray(cv2.sepFilter2D(picture, cv2.CV_32F, taps, taps)[half:-half, half:-half], np.float32)
