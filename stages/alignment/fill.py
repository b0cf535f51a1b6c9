"""Guessing lost content from what is known around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.resampling import resize
from stages.compiling import kernel

FloatImage = npt.NDArray[np.float32]

_LEAST_WEIGHT = np.float32(1e-6)


def fill_from_surroundings(values: FloatImage, weight: FloatImage) -> FloatImage:
    """Values where their weight is high, a smooth continuation of them elsewhere.

    Averages over ever larger areas are laid under one another (pull-push: S. Gortler et al., "The lumigraph", 1996).

    Args:
        values: (h, w, 3).
        weight: (h, w) in [0, 1].
    """
    height, width = weight.shape
    if min(height, width) <= 2:
        mean = np.tensordot(weight, values, axes=((0, 1), (0, 1))) / max(float(weight.sum()), 1e-9)
        beneath = np.full(values.shape, mean, np.float32)
    else:
        small_weight = np.asarray(cv2.pyrDown(weight), np.float32)
        small_values = np.asarray(cv2.pyrDown(_scaled(values, weight)), np.float32)
        _divide(small_values, small_weight)
        # What is known in a quarter of an area is enough to speak for the area.
        smaller = fill_from_surroundings(small_values, np.minimum(4 * small_weight, 1))
        beneath = resize(smaller, height, width)
    _lay_over(beneath, values, weight)
    return beneath


def _scaled(values: FloatImage, weight: FloatImage) -> FloatImage:
    scaled = np.empty_like(values)
    _scale(values, weight, scaled)
    return scaled


@kernel
def _scale(values: FloatImage, weight: FloatImage, scaled: FloatImage) -> None:
    for y in range(weight.shape[0]):
        for x in range(weight.shape[1]):
            for channel in range(3):
                scaled[y, x, channel] = weight[y, x] * values[y, x, channel]


@kernel
def _divide(values: FloatImage, weight: FloatImage) -> None:
    """Leaves what was weighted as it is; of next to no weight, next to nothing."""
    for y in range(weight.shape[0]):
        for x in range(weight.shape[1]):
            share = max(weight[y, x], _LEAST_WEIGHT)
            for channel in range(3):
                values[y, x, channel] /= share


@kernel
def _lay_over(beneath: FloatImage, values: FloatImage, weight: FloatImage) -> None:
    for y in range(weight.shape[0]):
        for x in range(weight.shape[1]):
            for channel in range(3):
                base = beneath[y, x, channel]
                beneath[y, x, channel] = base + weight[y, x] * (values[y, x, channel] - base)
