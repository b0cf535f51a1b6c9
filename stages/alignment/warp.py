"""A frame moved along a displacement field."""

from __future__ import annotations

import cv2
import numpy as np

from stages.alignment.camera import Flow
from stages.alignment.resampling import resize, sample
from stages.frame import Planes


def warp_planes(planes: Planes, flow: Flow) -> Planes:
    """A frame at full size along a flow of the same or a smaller size; the same object when nothing moves.

    Args:
        planes: the neighbour.
        flow: (h, w, 2), for each pixel of the reference where to look in the neighbour, in pixels of the flow's size.
    """
    if not flow.any():
        return planes
    scale = planes.width / flow.shape[1]
    # Cubic keeps the sharpness that every fractional shift by linear interpolation takes.
    luma = sample(planes.luma, _enlarge(flow, planes.height, planes.width, scale), cv2.INTER_CUBIC)
    if planes.bit_depth > 8:
        # Overshoot at edges: uint8 saturates by itself, 10 bits in uint16 do not.
        luma = np.minimum(luma, luma.dtype.type(planes.max_value))
    _, height, width = planes.chroma.shape
    chroma_flow = _enlarge(flow, height, width, scale / 2)
    return Planes(luma, np.stack([sample(plane, chroma_flow) for plane in planes.chroma]), planes.bit_depth)


def _enlarge(flow: Flow, height: int, width: int, scale: float) -> Flow:
    return resize(flow * np.float32(scale), height, width)
