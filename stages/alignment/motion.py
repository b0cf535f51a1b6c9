"""Where each pixel of the reference lies in the neighbour.

Dense flow says it where the pictures show it, the camera's motion elsewhere.

Flow between noisy pictures is never exactly zero, and warping by noise smears what stands still. A departure from
the camera's motion is kept only where it makes the pictures agree better than noise alone would.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Flow, Picture, camera_motion, coarse_shift
from stages.alignment.intensity import lookup
from stages.alignment.resampling import sample

_SMALLEST_PX = 16
"""Short side below which OpenCV's flow fails or crashes at this finest scale; so narrow a strip counts as still."""
_FULL_DETAIL_PX = (64, 400)
"""With a short side from the first and a long side up to the second, the flow's finest scale is the picture itself:
in small pictures half a pixel is much, and pixels are few."""
_EVIDENCE_WINDOW_PX = 11
_NO_EVIDENCE = 0.85
"""Residual after dense flow over residual after camera motion: above this, the difference is noise."""
_FULL_EVIDENCE = 0.6
_DOUBT = (1.0, 5.0)
"""What a residual, in 8-bit code values, does not tell from none in mid-tones and at saturation, where the colours of
a pixel saturate one by one and brightness no longer follows one curve."""
_SATURATING = (200.0, 235.0)
"""Code values over which doubt grows from the first to the second."""
ROUND_TRIP_PX = (0.7, 2.0)
"""A flow that its reverse undoes up to the first is believed fully, from the second not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The displacement field of a pair at the working size."""

    flow: Flow
    round_trip_px: npt.NDArray[np.float32]
    """(h, w) length of forward plus backward flow where the flow departs from the camera's motion, else 0."""


class MotionEstimator:
    """Dense inverse search flow (T. Kroeger et al., ECCV 2016) in both directions, settled on the camera's motion."""

    def __init__(self) -> None:
        # Between OpenCV's presets FAST and MEDIUM: a finer scale halves the error of FAST at small motion, while
        # wider spaced patches and less refinement than MEDIUM cost nothing that the camera motion does not repair.
        self._forward = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._forward.setPatchStride(4)
        self._forward.setGradientDescentIterations(16)
        self._forward.setVariationalRefinementIterations(2)
        # The way back only has to tell right from wrong.
        self._backward = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._backward.setGradientDescentIterations(12)
        self._backward.setVariationalRefinementIterations(0)

    def estimate(self, reference: Picture, neighbour: Picture) -> Motion:
        """The motion from the reference to the neighbour, both (h, w) uint8 in the over frame's intensities."""
        if min(reference.shape) < _SMALLEST_PX:
            return _still(reference)
        self._choose_scale(reference)
        shift = coarse_shift(reference, neighbour)
        forward = _dense(self._forward, reference, neighbour, shift)
        backward = _dense(self._backward, neighbour, reference, (-shift[0], -shift[1]))
        return _settled(reference, neighbour, forward, backward)

    def estimate_both(self, first: Picture, second: Picture) -> tuple[Motion, Motion]:
        """The motion from the first to the second and back, each as good as ``estimate`` gives it."""
        if min(first.shape) < _SMALLEST_PX:
            return _still(first), _still(first)
        self._choose_scale(first)
        shift = coarse_shift(first, second)
        there = _dense(self._forward, first, second, shift)
        back = _dense(self._forward, second, first, (-shift[0], -shift[1]))
        return _settled(first, second, there, back), _settled(second, first, back, there)

    def _choose_scale(self, picture: Picture) -> None:
        shortest, longest = _FULL_DETAIL_PX
        finest = 0 if min(picture.shape) >= shortest and max(picture.shape) <= longest else 1
        self._forward.setFinestScale(finest)
        self._backward.setFinestScale(finest)


def _still(picture: Picture) -> Motion:
    return Motion(np.zeros((*picture.shape, 2), np.float32), np.zeros(picture.shape, np.float32))


def _settled(reference: Picture, neighbour: Picture, forward: Flow, backward: Flow) -> Motion:
    """The camera's motion, and the dense flow forward where it departs from that for good reason."""
    round_trip_px = _length(forward + sample(backward, forward))
    camera = camera_motion(forward, reference, round_trip_px)
    by_camera = sample(neighbour, camera) if camera.any() else neighbour
    evidence = _evidence(reference, by_camera, sample(neighbour, forward))
    evidence *= falling(round_trip_px, ROUND_TRIP_PX)
    flow = camera + evidence[..., None] * (forward - camera)
    return Motion(flow, evidence * round_trip_px)


def _dense(method: cv2.DISOpticalFlow, source: Picture, target: Picture, shift: tuple[float, float]) -> Flow:
    """Flow from the source to the target, started from a shift of the whole picture."""
    initial = np.empty((*source.shape, 2), np.float32)
    initial[...] = shift
    return np.asarray(method.calc(source, target, initial), np.float32)


def _length(vectors: Flow) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.magnitude(vectors[..., 0], vectors[..., 1]), np.float32)


def _evidence(reference: Picture, by_camera: Picture, by_flow: Picture) -> npt.NDArray[np.float32]:
    """(h, w) in [0, 1]: how clearly the dense flow explains the picture better than the camera's motion."""
    window = (_EVIDENCE_WINDOW_PX, _EVIDENCE_WINDOW_PX)
    camera_residual, flow_residual = (
        cv2.boxFilter(cv2.absdiff(reference, warped), cv2.CV_32F, window) for warped in (by_camera, by_flow)
    )
    unknown = doubt(reference)
    ratio = (flow_residual + unknown) / (camera_residual + unknown)
    return falling(np.asarray(ratio, np.float32), (_FULL_EVIDENCE, _NO_EVIDENCE))


def doubt(picture: Picture) -> npt.NDArray[np.float32]:
    """(h, w) difference, in 8-bit code values, that an intensity mapping leaves between pictures of one scene."""
    return lookup(picture, np.interp(np.arange(256), _SATURATING, _DOUBT).astype(np.float32))


def falling(values: npt.NDArray[np.float32], limits: tuple[float, float]) -> npt.NDArray[np.float32]:
    """1 up to the first limit, 0 from the second, straight between."""
    low, high = limits
    return np.asarray(np.clip((high - values) / np.float32(high - low), 0, 1), np.float32)
