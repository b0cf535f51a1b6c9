"""Entropy and average gradient: how much goes on in a picture, whether it was in the sources or not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def entropy_bits(luma: npt.NDArray[np.uint8]) -> float:
    """Shannon's entropy of the histogram of 8-bit luma, 0 to 8 bits a pixel."""
    counts = np.bincount(luma.ravel(), minlength=256)
    shares = counts[counts > 0] / luma.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def average_gradient(luma: npt.NDArray[np.uint8]) -> float:
    """Mean of sqrt((dx^2 + dy^2) / 2) over the forward differences of 8-bit luma, in code values a pixel."""
    values = luma.astype(np.float32)
    across = np.ascontiguousarray(values[:-1, 1:] - values[:-1, :-1])
    down = np.ascontiguousarray(values[1:, :-1] - values[:-1, :-1])
    return float(np.mean(cv2.magnitude(across, down), dtype=np.float64) / np.sqrt(2))
