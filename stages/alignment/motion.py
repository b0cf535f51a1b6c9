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

from stages.alignment.camera import Flow, Picture, camera_motion, coarse_shift, structure
from stages.alignment.crew import Crew
from stages.alignment.intensity import lookup
from stages.alignment.resampling import sample
from stages.compiling import kernel

_SMALLEST_PX = 16
"""Short side below which OpenCV's flow fails or crashes at this finest scale; so narrow a strip counts as still."""
_FULL_DETAIL_PX = (64, 400)
"""With a short side from the first and a long side up to the second, the flow's finest scale is the picture itself:
in small pictures half a pixel is much, and pixels are few."""
_EVIDENCE_WINDOW_PX = 11
_NO_EVIDENCE = np.float32(0.85)
"""Residual after dense flow over residual after camera motion: above this, the difference is noise."""
_FULL_EVIDENCE = np.float32(0.6)
_DOUBT = (1.0, 5.0)
"""What a residual, in 8-bit code values, does not tell from none in mid-tones and at saturation, where the colours of
a pixel saturate one by one and brightness no longer follows one curve."""
_SATURATING = (200.0, 235.0)
"""Code values over which doubt grows from the first to the second."""
BELIEVED_PX, REFUTED_PX = np.float32(0.7), np.float32(2.0)
"""A flow that its reverse undoes up to the first is believed fully, from the second not at all."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The displacement field of a pair at the working size."""

    flow: Flow
    round_trip_px: FloatArray
    """(h, w) length of forward plus backward flow where the flow departs from the camera's motion, else 0."""


class MotionEstimator:
    """Dense inverse search flow (T. Kroeger et al., ECCV 2016) in both directions, settled on the camera's motion.

    Args:
        crew: does it; one of its own by default.
    """

    def __init__(self, crew: Crew | None = None) -> None:
        self._crew = crew or Crew()
        self._forward = _thorough()
        # The way back only has to tell right from wrong.
        self._backward = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._backward.setPatchStride(6)
        self._backward.setGradientDescentIterations(8)
        self._backward.setVariationalRefinementIterations(0)
        self._other_forward = _thorough()

    def estimate(self, reference: Picture, neighbour: Picture) -> Motion:
        """The motion from the reference to the neighbour, both (h, w) uint8 in the over frame's intensities."""
        if min(reference.shape) < _SMALLEST_PX:
            return _still(reference)
        self._choose_scale(reference)
        shift = coarse_shift(reference, neighbour)
        forward, (backward, held) = self._crew.both(
            lambda: _dense(self._forward, reference, neighbour, shift),
            lambda: (_dense(self._backward, neighbour, reference, (-shift[0], -shift[1])), structure(reference)),
        )
        return _settled(reference, neighbour, forward, backward, held, self._crew)

    def estimate_both(self, first: Picture, second: Picture) -> tuple[Motion, Motion]:
        """The motion from the first to the second and back, each as good as ``estimate`` gives it."""
        if min(first.shape) < _SMALLEST_PX:
            return _still(first), _still(first)
        self._choose_scale(first)
        shift = coarse_shift(first, second)
        there, back = self._crew.both(
            lambda: _dense(self._forward, first, second, shift),
            lambda: _dense(self._other_forward, second, first, (-shift[0], -shift[1])),
        )
        return self._crew.both(
            lambda: _settled(first, second, there, back, structure(first), self._crew),
            lambda: _settled(second, first, back, there, structure(second), self._crew),
        )

    def _choose_scale(self, picture: Picture) -> None:
        shortest, longest = _FULL_DETAIL_PX
        finest = 0 if min(picture.shape) >= shortest and max(picture.shape) <= longest else 1
        for method in (self._forward, self._other_forward, self._backward):
            method.setFinestScale(finest)


def _thorough() -> cv2.DISOpticalFlow:
    # A finer scale than that of OpenCV's preset FAST halves its error at small motion; more search and refinement
    # than this gains nothing that the camera's motion does not repair.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    method.setPatchStride(4)
    method.setGradientDescentIterations(8)
    method.setVariationalRefinementIterations(1)
    return method


def _still(picture: Picture) -> Motion:
    return Motion(np.zeros((*picture.shape, 2), np.float32), np.zeros(picture.shape, np.float32))


def _settled(
    reference: Picture, neighbour: Picture, forward: Flow, backward: Flow, held: FloatArray, crew: Crew
) -> Motion:
    """The camera's motion, and the dense flow forward where it departs from that for good reason."""
    way_back, by_flow = crew.both(lambda: sample(backward, forward), lambda: sample(neighbour, forward))
    round_trip_px = np.empty(reference.shape, np.float32)
    _add_up(forward, way_back, round_trip_px)
    camera = camera_motion(forward, held, round_trip_px)
    by_camera = sample(neighbour, camera) if camera.any() else neighbour
    residuals = crew.both(lambda: _residual(reference, by_camera), lambda: _residual(reference, by_flow))
    flow = np.empty_like(forward)
    _depart(camera, forward, *residuals, doubt(reference), flow, round_trip_px)
    return Motion(flow, round_trip_px)


@kernel
def _add_up(there: Flow, back: Flow, length: FloatArray) -> None:
    for y in range(length.shape[0]):
        for x in range(length.shape[1]):
            across, down = there[y, x, 0] + back[y, x, 0], there[y, x, 1] + back[y, x, 1]
            length[y, x] = np.sqrt(across * across + down * down)


@kernel
def _depart(
    camera: Flow,
    forward: Flow,
    camera_residual: FloatArray,
    flow_residual: FloatArray,
    unknown: FloatArray,
    flow: Flow,
    round_trip_px: FloatArray,
) -> None:
    """Writes the flow that the evidence allows, and the round trip where it is not the camera's."""
    for y in range(flow.shape[0]):
        for x in range(flow.shape[1]):
            ratio = (flow_residual[y, x] + unknown[y, x]) / (camera_residual[y, x] + unknown[y, x])
            evidence = fall(ratio, _FULL_EVIDENCE, _NO_EVIDENCE)
            evidence *= fall(round_trip_px[y, x], BELIEVED_PX, REFUTED_PX)
            round_trip_px[y, x] *= evidence
            for axis in range(2):
                flow[y, x, axis] = camera[y, x, axis] + evidence * (forward[y, x, axis] - camera[y, x, axis])


def _dense(method: cv2.DISOpticalFlow, source: Picture, target: Picture, shift: tuple[float, float]) -> Flow:
    """Flow from the source to the target, started from a shift of the whole picture."""
    initial = np.empty((*source.shape, 2), np.float32)
    initial[..., 0], initial[..., 1] = shift
    return np.asarray(method.calc(source, target, initial), np.float32)


def _residual(reference: Picture, warped: Picture) -> FloatArray:
    """(h, w) mean difference around each pixel, in 8-bit code values."""
    window = (_EVIDENCE_WINDOW_PX, _EVIDENCE_WINDOW_PX)
    return np.asarray(cv2.boxFilter(cv2.absdiff(reference, warped), cv2.CV_32F, window), np.float32)


def doubt(picture: Picture) -> FloatArray:
    """(h, w) difference, in 8-bit code values, that an intensity mapping leaves between pictures of one scene."""
    return lookup(picture, np.interp(np.arange(256), _SATURATING, _DOUBT).astype(np.float32))


@kernel
def fall(value: np.float32, low: np.float32, high: np.float32) -> np.float32:
    """1 up to the first limit, 0 from the second, straight between."""
    return min(max((high - value) / (high - low), np.float32(0)), np.float32(1))
