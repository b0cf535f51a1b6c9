"""Pictures and maps at the working size, moved along a displacement field."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stages.alignment.shifting import BIAS, BLOCK_PX, Counts, FloatArray, find_runs, shift_linear
from stages.compiling import kernel, part

Image = TypeVar("Image", bound=npt.NDArray[Any])

_HALF = np.float32(0.5)


def sample(image: Image, flow: FloatArray) -> Image:
    """``image`` at each pixel's place plus its flow, between pixels by linear interpolation.

    Args:
        image: (h, w) code values or floats; its border is repeated outwards.
        flow: (h, w, 2) displacements (x, y) in pixels, shorter than 32768.
    """
    sampled: Image = np.empty_like(image)
    if image.dtype == np.float32:
        _sample_floats(np.ascontiguousarray(image), flow, sampled)
    else:
        _sample_codes(np.ascontiguousarray(image), flow, sampled)
    return sampled


@kernel
def _sample_codes(image: npt.NDArray[Any], flow: FloatArray, sampled: npt.NDArray[Any]) -> None:
    height, width = image.shape
    whole, begins = np.zeros(width + BLOCK_PX, np.int32), np.zeros(width + 1, np.int32)
    parts, values = np.zeros((2, width + BLOCK_PX), np.float32), np.empty(width + BLOCK_PX, np.float32)
    for y in range(height):
        _follow(image, flow[y].reshape(-1), y, whole, begins, parts, values)
        row = sampled[y]
        for x in range(width):
            row[x] = np.int32(values[x] + _HALF)


@kernel
def _sample_floats(image: FloatArray, flow: FloatArray, sampled: FloatArray) -> None:
    height, width = image.shape
    whole, begins = np.zeros(width + BLOCK_PX, np.int32), np.zeros(width + 1, np.int32)
    parts, values = np.zeros((2, width + BLOCK_PX), np.float32), np.empty(width + BLOCK_PX, np.float32)
    for y in range(height):
        _follow(image, flow[y].reshape(-1), y, whole, begins, parts, values)
        sampled[y] = values[:width]


@part
def _follow(
    image: npt.NDArray[Any],
    steps: FloatArray,
    y: int,
    whole: Counts,
    begins: Counts,
    parts: FloatArray,
    values: FloatArray,
) -> None:
    """A row; the last four are written to."""
    width = image.shape[1]
    x_part, y_part = parts[0], parts[1]
    for x in range(width):
        across, down = steps[2 * x], steps[2 * x + 1]
        column, line = np.floor(across), np.floor(down)
        x_part[x], y_part[x] = across - column, down - line
        whole[x] = (np.int32(line) << np.int32(16)) + np.int32(column) + np.int32(BIAS)
    runs = begins[: find_runs(whole, width, begins) + 1]
    shift_linear(image, y, whole, runs, x_part, y_part, values)
