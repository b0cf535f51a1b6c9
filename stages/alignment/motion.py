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
from stages.alignment.median import median
from stages.alignment.resampling import fetch, places, resize
from stages.alignment.sampling import sample
from stages.compiling import kernel

FloatArray = npt.NDArray[np.float32]

_SMALLEST_PX = 16
"""Short side below which OpenCV's flow fails or crashes even at half the picture; so narrow a strip counts as still."""
_FINE_PX = 64
"""Short side below which the flow's finest scale is half the picture: on one so small OpenCV's flow may fail."""
_FULL_DETAIL_PX = 400
"""With a long side up to this, motion is found in the picture itself: in small pictures half a pixel is much, and
pixels are few. A larger one is reduced to half its size."""
_EVIDENCE_WINDOW_PX = 11
"""At full detail; half of it in reduced pictures."""
_NO_EVIDENCE = np.float32(0.85)
"""Residual after dense flow over residual after camera motion: above this, the difference is noise."""
_FULL_EVIDENCE = np.float32(0.6)
DOUBT: FloatArray = np.interp(np.arange(256), (200, 235), (1, 5)).astype(np.float32)
"""What a residual, in 8-bit code values, does not tell from none at each code value: more at saturation, where the
colours of a pixel saturate one by one and brightness no longer follows one curve."""
BELIEVED_PX, REFUTED_PX = np.float32(0.7), np.float32(2.0)
"""A flow that its reverse undoes up to the first is believed fully, from the second not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The displacement field of a pair at the working size."""

    flow: Flow
    round_trip_px: FloatArray
    """(h, w) length of forward plus backward flow where the flow departs from the camera's motion, else 0."""
    camera: Flow
    """(any height, any width, 2) the camera's motion alone, in pixels of the flow."""


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
        here, there = _reduced(reference), _reduced(neighbour)
        self._choose_scale(here, reference)
        shift = coarse_shift(here, there)
        forward, (backward, held) = self._crew.both(
            lambda: _dense(self._forward, here, there, shift),
            lambda: (_dense(self._backward, there, here, (-shift[0], -shift[1])), structure(here)),
        )
        return _at_size(_settled(here, there, forward, backward, held, _pixel(reference, here)), reference.shape)

    def estimate_both(self, first: Picture, second: Picture) -> tuple[Motion, Motion]:
        """The motion from the first to the second and back, each as good as ``estimate`` gives it."""
        if min(first.shape) < _SMALLEST_PX:
            return _still(first), _still(first)
        here, there = _reduced(first), _reduced(second)
        self._choose_scale(here, first)
        shift, pixel = coarse_shift(here, there), _pixel(first, here)
        forward, back = self._crew.both(
            lambda: _dense(self._forward, here, there, shift),
            lambda: _dense(self._other_forward, there, here, (-shift[0], -shift[1])),
        )
        return self._crew.both(
            lambda: _at_size(_settled(here, there, forward, back, structure(here), pixel), first.shape),
            lambda: _at_size(_settled(there, here, back, forward, structure(there), pixel), first.shape),
        )

    def _choose_scale(self, reduced: Picture, picture: Picture) -> None:
        finest = 1 if reduced is picture and min(picture.shape) < _FINE_PX else 0
        for method in (self._forward, self._other_forward, self._backward):
            method.setFinestScale(finest)


def _reduced(picture: Picture) -> Picture:
    """What motion is found in."""
    height, width = picture.shape
    if max(height, width) <= _FULL_DETAIL_PX or min(height, width) < 2 * _SMALLEST_PX:
        return picture
    return resize(picture, -(-height // 2), -(-width // 2))


def _pixel(picture: Picture, reduced: Picture) -> float:
    """Pixels of a picture in one of the reduced picture."""
    return float(picture.shape[1] / reduced.shape[1])


def _at_size(motion: Motion, shape: tuple[int, ...]) -> Motion:
    """The same motion for pictures of another size; its round trip stays in the same unit."""
    height, width = shape
    if motion.round_trip_px.shape == shape:
        return motion
    scale = np.float32(width / motion.flow.shape[1])
    flow = resize(motion.flow * scale, height, width)
    return Motion(flow, resize(motion.round_trip_px, height, width), motion.camera * scale)


def _thorough() -> cv2.DISOpticalFlow:
    # More search than this gains nothing that the camera's motion does not repair; closer patches cost a third more
    # and change the fused picture by less than 0.1 dB.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    method.setPatchStride(5)
    method.setGradientDescentIterations(8)
    method.setVariationalRefinementIterations(1)
    return method


def _still(picture: Picture) -> Motion:
    still = np.zeros((*picture.shape, 2), np.float32)
    return Motion(still, np.zeros(picture.shape, np.float32), still)


def _settled(
    reference: Picture, neighbour: Picture, forward: Flow, backward: Flow, held: FloatArray, pixel: float
) -> Motion:
    """The camera's motion, and the dense flow forward where it departs from that for good reason.

    A pixel here is so many ``pixel`` in which round trips are told; a residual over as many fewer of them tells less.
    """
    round_trip_px = np.empty(reference.shape, np.float32)
    _add_up(forward, fetch(backward, places(forward)), np.float32(pixel), round_trip_px)
    camera = camera_motion(forward, held, round_trip_px, pixel)
    by_camera = sample(neighbour, camera) if camera.any() else neighbour
    window_px = 2 * round((_EVIDENCE_WINDOW_PX / pixel - 1) / 2) + 1
    camera_residual = _residual(reference, by_camera, window_px)
    flow_residual = _residual(reference, sample(neighbour, forward), window_px)
    unknown = lookup(reference, np.float32(pixel) * DOUBT)
    flow = np.empty_like(forward)
    _depart(camera, forward, camera_residual, flow_residual, unknown, flow, round_trip_px)
    return Motion(flow, round_trip_px, camera)


@kernel
def _add_up(there: Flow, back: Flow, pixel: np.float32, length: FloatArray) -> None:
    for y in range(length.shape[0]):
        # Of rows with one index a processor does many pixels at a time.
        to, fro, total = there[y].reshape(-1), back[y].reshape(-1), length[y]
        for x in range(total.size):
            across, down = to[2 * x] + fro[2 * x], to[2 * x + 1] + fro[2 * x + 1]
            total[x] = pixel * np.sqrt(across * across + down * down)


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
        by_camera, dense, settled = camera[y].reshape(-1), forward[y].reshape(-1), flow[y].reshape(-1)
        with_camera, with_flow, hidden, undone = camera_residual[y], flow_residual[y], unknown[y], round_trip_px[y]
        for x in range(hidden.size):
            ratio = (with_flow[x] + hidden[x]) / (with_camera[x] + hidden[x])
            evidence = fall(ratio, _FULL_EVIDENCE, _NO_EVIDENCE) * fall(undone[x], BELIEVED_PX, REFUTED_PX)
            undone[x] *= evidence
            for axis in range(2):
                at = 2 * x + axis
                settled[at] = by_camera[at] + evidence * (dense[at] - by_camera[at])


def _dense(method: cv2.DISOpticalFlow, source: Picture, target: Picture, shift: tuple[float, float]) -> Flow:
    """Flow from the source to the target, started from a shift of the whole picture."""
    initial = np.empty((*source.shape, 2), np.float32)
    initial[..., 0], initial[..., 1] = shift
    return np.asarray(method.calc(source, target, initial), np.float32)


def _residual(reference: Picture, warped: Picture, window_px: int) -> FloatArray:
    """(h, w) mean difference around each pixel, in 8-bit code values."""
    window = (window_px, window_px)
    return np.asarray(cv2.boxFilter(cv2.absdiff(reference, warped), cv2.CV_32F, window), np.float32)


def typical_px(flow: Flow) -> float:
    """Length of the motion of most of the picture."""
    steps = flow[::8, ::8]
    return float(np.sqrt(median((steps[..., 0] ** 2 + steps[..., 1] ** 2).ravel())))


@kernel
def fall(value: np.float32, low: np.float32, high: np.float32) -> np.float32:
    """1 up to the first limit, 0 from the second, straight between."""
    return min(max((high - value) / (high - low), np.float32(0)), np.float32(1))
