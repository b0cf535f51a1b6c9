"""A frame moved along a displacement field."""

from __future__ import annotations

import cv2
import numpy as np

from stages.alignment.camera import Flow
from stages.alignment.resampling import fetch, places, resize
from stages.frame import Planes


class Warp:
    """Moves frames of one size along one flow.

    Args:
        flow: (h, w, 2), for each pixel of the reference where to look in the neighbour, in pixels of the flow's size.
        like: a frame of the size to come, the flow's or larger.
    """

    def __init__(self, flow: Flow, like: Planes) -> None:
        self._moves = bool(flow.any())
        if self._moves:
            scale = like.width / flow.shape[1]
            _, height, width = like.chroma.shape
            self._luma = places(_enlarge(flow, like.height, like.width, scale))
            self._chroma = places(_enlarge(flow, height, width, scale / 2))

    def __call__(self, planes: Planes) -> Planes:
        """A frame moved; the same object when nothing moves."""
        if not self._moves:
            return planes
        # Cubic keeps the sharpness that every fractional shift by linear interpolation takes.
        luma = fetch(planes.luma, self._luma, cv2.INTER_CUBIC)
        if planes.bit_depth > 8:
            # Overshoot at edges: uint8 saturates by itself, 10 bits in uint16 do not.
            luma = np.minimum(luma, luma.dtype.type(planes.max_value))
        chroma = np.stack([fetch(plane, self._chroma) for plane in planes.chroma])
        return Planes(luma, chroma, planes.bit_depth)


def warp_planes(planes: Planes, flow: Flow) -> Planes:
    """One frame at full size along a flow of the same or a smaller size; the same object when nothing moves."""
    return Warp(flow, planes)(planes)


def _enlarge(flow: Flow, height: int, width: int, scale: float) -> Flow:
    return resize(flow * np.float32(scale), height, width)
