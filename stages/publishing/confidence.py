"""The confidence map of a fused frame, as readers get it."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from stages.publishing.buffers import Buffer, BufferRing


class ConfidenceMap:
    """Where alignment trusted the neighbour; lives in the sender's thread."""

    def __init__(self, values: npt.NDArray[np.float32], ring: BufferRing) -> None:
        """Hold a map.

        Args:
            values: (height, width) in [0, 1], as ``AlignedPair.confidence``.
            ring: for the map as it is sent; of confidence maps alone.
        """
        self._values = values
        self._ring = ring

    @property
    def size(self) -> tuple[int, int]:
        """Width, height; the picture's may be larger."""
        height, width = self._values.shape
        return width, height

    @cached_property
    def mean(self) -> float:
        """Over the whole map, 0 to 1."""
        return min(max(cv2.mean(self._values)[0], 0.0), 1.0)

    @cached_property
    def gray(self) -> Buffer:
        """Height x width bytes: 0 = 0.0, 255 = 1.0, rounded."""
        buffer = self._ring.take(self._values.size)
        cv2.convertScaleAbs(self._values, dst=buffer.pixels.reshape(self._values.shape), alpha=255)
        return buffer
