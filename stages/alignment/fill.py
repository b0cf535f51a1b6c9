"""Guessing lost content from what is known around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.resampling import resize

FloatImage = npt.NDArray[np.float32]


def fill_from_surroundings(values: FloatImage, weight: FloatImage) -> FloatImage:
    """Values where their weight is high, a smooth continuation of them elsewhere.

    Averages over ever larger areas are laid under one another (pull-push: S. Gortler et al., "The lumigraph", 1996).

    Args:
        values: (h, w, 3).
        weight: (h, w) in [0, 1]; not all 0.
    """
    height, width = weight.shape
    if min(height, width) <= 2:
        mean = np.tensordot(weight, values, axes=((0, 1), (0, 1))) / max(float(weight.sum()), 1e-9)
        beneath = np.broadcast_to(mean, values.shape).astype(np.float32)
    else:
        small_weight = np.asarray(cv2.pyrDown(weight), np.float32)
        small_values = cv2.pyrDown(values * weight[..., None]) / np.maximum(small_weight, 1e-6)[..., None]
        # What is known in a quarter of an area is enough to speak for the area.
        smaller = fill_from_surroundings(small_values.astype(np.float32), np.minimum(4 * small_weight, 1))
        beneath = resize(smaller, height, width)
    return (beneath + weight[..., None] * (values - beneath)).astype(np.float32)
