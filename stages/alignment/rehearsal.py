"""A few small pairs that use all there is, so that loops are compiled before the first frame and not at it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import BT709, ExposurePair, Frame, Planes

_SIZE_PX = 96
_FRAMES = 5


def rehearsal_pairs(bit_depth: int) -> Iterator[ExposurePair]:
    """Frames of alternating exposure of something that first stands still and then moves."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.standard_normal((_SIZE_PX, 2 * _SIZE_PX)).astype(np.float32), (0, 0), 2)
    scene = np.exp2(2 * scene / scene.std() - 1).astype(np.float32)
    scene[_SIZE_PX // 3 :, ::_SIZE_PX] = 99
    scene[: _SIZE_PX // 3] = 99
    frames = [_frame(scene, index, bit_depth, rng) for index in range(_FRAMES)]
    for index in range(1, _FRAMES):
        yield ExposurePair(frames[index], frames[index - 1], reference_is_under=index % 2 == 0, ratio_stops=2)


def _frame(scene: npt.NDArray[np.float32], index: int, bit_depth: int, rng: np.random.Generator) -> Frame:
    seen = scene[:, 3 * max(0, index - 2) :][:, :_SIZE_PX] * (1 if index % 2 == 0 else 4) / 8
    noisy = np.clip(seen, 0, 1) ** 0.45 * 219 + 16 + 2 * rng.standard_normal(seen.shape)
    codes = np.clip(noisy, 0, 255) * (1 << (bit_depth - 8))
    luma: Any = codes.astype(np.uint8 if bit_depth == 8 else np.uint16)
    chroma: Any = np.full((2, _SIZE_PX // 2, _SIZE_PX // 2), 1 << (bit_depth - 1), luma.dtype)
    if index > 2:
        # A scene may become colourful.
        chroma[1, -_SIZE_PX // 8 :] += 60 << (bit_depth - 8)
    return Frame(index, Planes(luma, chroma, bit_depth), pts=index, time_base=Fraction(1, 25), color=BT709)
