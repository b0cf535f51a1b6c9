"""Whether light and dark stayed where they were: clipping, and areas whose order of brightness was turned around."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.picture import FloatMap

_BLACK, _WHITE = 3, 252
_BLUR = 0.02
"""Sigma of what counts as coarse, in picture diagonals."""
_WORKING_SIGMA = 8.0
"""Pixels: a wider blur is made on a picture reduced accordingly, which changes it by less than a code value."""


def clipped_share(luma: npt.NDArray[np.uint8]) -> float:
    """Share of pixels with 8-bit luma of at most 3 or at least 252."""
    return float(np.mean((luma <= _BLACK) | (luma >= _WHITE)))


def tone_reversal(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], fused: npt.NDArray[np.uint8]) -> float:
    """Share of a fused picture's coarse gradient energy that points against the sum of the sources' gradients.

    Coarse is luma (height, width) blurred by 2 % of the diagonal. 0 for the plain average of the sources.
    """
    down, across = _gradient(_coarse(fused))
    expected_down, expected_across = _gradient(_coarse(first) + _coarse(second))
    energy = down * down + across * across
    against = down * expected_down + across * expected_across < 0
    total = float(energy.sum(dtype=np.float64))
    return float(energy[against].sum(dtype=np.float64)) / total if total > 0 else 0.0


def _coarse(luma: npt.NDArray[np.uint8]) -> FloatMap:
    height, width = luma.shape
    sigma = _BLUR * math.hypot(height, width)
    factor = max(1, int(sigma / _WORKING_SIGMA))
    values = luma.astype(np.float32)
    if factor > 1:
        size = (math.ceil(width / factor), math.ceil(height / factor))
        values = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma / factor), np.float32)


def _gradient(values: FloatMap) -> tuple[FloatMap, FloatMap]:
    down, across = np.gradient(values)
    return np.asarray(down, np.float32), np.asarray(across, np.float32)
