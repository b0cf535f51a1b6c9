"""Finds where fused pictures differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.picture import FloatMap, Picture

_WORKING_SIDE = 512
_ROBUST_FROM = 5
"""With so many pictures, one that differs from all others does not decide."""
_BRIGHTNESS_SHARE = 0.25
"""How much a difference in mean brightness or colour counts beside one in structure."""


@dataclass(frozen=True, slots=True)
class Region:
    """A square of a picture."""

    left: int
    top: int
    side: int

    def cut(self, picture: Picture) -> Picture:
        """What a picture shows there."""
        return picture[self.top : self.top + self.side, self.left : self.left + self.side]


def most_different(pictures: Sequence[Picture], count: int, side: int) -> list[Region]:
    """Squares that do not overlap, in which the pictures differ most in colour and brightness, the worst first.

    Args:
        pictures: fused from one pair, all of one size.
        count: how many at most.
        side: of a square, in pixels; at most that of the picture.
    """
    height, width = pictures[0].shape[:2]
    side = min(side, height, width)
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    window = max(3, round(side * scale))
    difference = _difference(pictures, (max(1, round(width * scale)), max(1, round(height * scale))), window)
    mean = np.asarray(cv2.blur(difference, (window, window), anchor=(0, 0)), np.float32)
    # Only squares that lie within the picture.
    mean = mean[: max(1, difference.shape[0] - window + 1), : max(1, difference.shape[1] - window + 1)].copy()
    regions = []
    for _ in range(count):
        top, left = np.unravel_index(int(mean.argmax()), mean.shape)
        if mean[top, left] < 0:
            break
        regions.append(Region(min(round(left / scale), width - side), min(round(top / scale), height - side), side))
        # The next one lies half a square away at least, so that they show different places.
        apart = window + window // 2
        mean[max(0, top - apart + 1) : top + apart, max(0, left - apart + 1) : left + apart] = -1
    return regions


def _difference(pictures: Sequence[Picture], size: tuple[int, int], window: int) -> FloatMap:
    """Spread of the pictures at every pixel, of the channel where it is largest: mostly of structure."""
    small = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures])
    small = small.astype(np.float32)
    blurred = np.stack([cv2.blur(picture, (window, window)) for picture in small])
    return _spread(small - blurred) + np.float32(_BRIGHTNESS_SHARE) * _spread(blurred)


def _spread(pictures: npt.NDArray[np.float32]) -> FloatMap:
    """Between the highest and the lowest at every pixel, or the second ones."""
    ordered = np.sort(pictures, axis=0)
    low, high = (1, -2) if len(pictures) >= _ROBUST_FROM else (0, -1)
    return np.asarray((ordered[high] - ordered[low]).max(axis=-1), np.float32)
