"""Camera motion: the smooth displacement field that most of the picture follows.

The field is that of a turning camera (or of a plane before a moving one): quadratic in the pixel coordinates, linear
in eight parameters (H. C. Longuet-Higgins and K. Prazdny, "The interpretation of a moving retinal image", 1980).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.compiling import kernel

Picture = npt.NDArray[np.uint8]
"""(h, w) luma at the working size; of a pair, both in the intensities of the over frame."""
Flow = npt.NDArray[np.float32]
"""(h, w, 2): where to look in the neighbour, relative to the reference's pixel, as (x, y) in pixels."""

_COARSE_SIZE_PX = 192
_LARGEST_SHIFT_SHARE = 0.4
_GRID_STEPS = 50
"""Along the long side: some thousand samples pin eight parameters down."""
_MINIMUM_SAMPLES = 24
_STRUCTURE = 2e-5
"""Smallest eigenvalue of the structure tensor (cv2.cornerMinEigenVal, block 7) that holds a patch in place."""
_ITERATIONS = 8
_INLIER_PX = 0.4
"""Scale of the Cauchy weights that keep moving objects out of the fit."""
_STILL_PX = 0.12
"""A fitted motion nowhere larger than this is a camera that stands still."""


def coarse_shift(reference: Picture, neighbour: Picture) -> tuple[float, float]:
    """Translation (x, y) in pixels from the reference to the neighbour by phase correlation; 0 unless it helps."""
    height, width = reference.shape
    scale = min(1.0, _COARSE_SIZE_PX / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    here, there = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (reference, neighbour))
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(here.astype(np.float32), there.astype(np.float32), window)
    columns, rows = round(x), round(y)
    too_far = max(abs(columns) / size[0], abs(rows) / size[1]) > _LARGEST_SHIFT_SHARE
    if too_far or (columns, rows) == (0, 0):
        return 0.0, 0.0
    small_height, small_width = here.shape
    overlap_here = here[max(0, -rows) : small_height - max(0, rows), max(0, -columns) : small_width - max(0, columns)]
    overlap_there = there[max(0, rows) : small_height + min(0, rows), max(0, columns) : small_width + min(0, columns)]
    if cv2.absdiff(overlap_here, overlap_there).mean() > 0.8 * cv2.absdiff(here, there).mean():
        return 0.0, 0.0
    return x / size[0] * width, y / size[1] * height


def structure(picture: Picture) -> npt.NDArray[np.float32]:
    """(h, w): how firmly the surroundings of a pixel hold a patch in place."""
    return np.asarray(cv2.cornerMinEigenVal(picture, 7), np.float32)


def camera_motion(
    flow: Flow, held: npt.NDArray[np.float32], round_trip_px: npt.NDArray[np.float32], pixel: float
) -> Flow:
    """The camera's displacement field under a dense flow.

    Args:
        flow: dense displacements.
        held: ``structure`` of the reference.
        round_trip_px: (h, w) length of forward plus backward flow; large where the flow is wrong.
        pixel: size of the flow's pixels in those of the round trip, in which limits are told.

    Returns:
        (h, w, 2); exactly zero for a camera that stands still, and where there is too little structure to tell.
    """
    height, width = held.shape
    step = max(4, max(height, width) // _GRID_STEPS)
    samples = np.s_[step // 2 :: step, step // 2 :: step]
    usable = (held[samples] > _STRUCTURE) & (round_trip_px[samples] < 1.0)
    if np.count_nonzero(usable) < _MINIMUM_SAMPLES:
        return np.zeros_like(flow)
    x, y = _coordinates(width, height)
    across, down = np.meshgrid(x[samples[1]], y[samples[0]])
    parameters = _robust_fit(across[usable], down[usable], flow[samples][usable], pixel)
    field = _field(parameters, x, y)
    if np.abs(field).max() * pixel < _STILL_PX:
        return np.zeros_like(flow)
    return field


def _coordinates(width: int, height: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Pixel centres, 0 in the middle of the picture and 1 at the end of its longer side."""
    half = max(width, height) / 2
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / half
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / half
    return x.astype(np.float32), y.astype(np.float32)


def _robust_fit(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], observed: npt.NDArray[np.float32], pixel: float
) -> npt.NDArray[np.float64]:
    """Eight parameters from displacements (n, 2) at n points, iteratively reweighted least squares."""
    parameters: npt.NDArray[np.float64] = np.zeros(8)
    parameters[:2] = np.median(observed, axis=0)
    inlier = _INLIER_PX / pixel
    scale = 16 * inlier
    ridge = np.array([1e-6] * 2 + [1e-3] * 6)
    for _ in range(_ITERATIONS):
        normal, right = np.zeros((8, 8)), np.zeros(8)
        _sum_up(x, y, observed, parameters, scale, ridge, normal, right)
        parameters = np.asarray(np.linalg.solve(normal, right), np.float64)
        scale = max(inlier, scale / 2)
    return parameters


@kernel
def _sum_up(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    observed: npt.NDArray[np.float32],
    parameters: npt.NDArray[np.float64],
    scale: float,
    ridge: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> None:
    """Adds up the normal equations, each sample weighted by how well the parameters explain it."""
    rows = np.zeros((2, 8))
    weights = 0.0
    for sample in range(x.size):
        across, down = np.float64(x[sample]), np.float64(y[sample])
        rows[0, 0] = rows[1, 1] = 1.0
        rows[0, 2] = rows[1, 4] = across
        rows[0, 3] = rows[1, 5] = down
        rows[0, 6], rows[0, 7] = across * across, across * down
        rows[1, 6], rows[1, 7] = across * down, down * down
        miss = 0.0
        for axis in range(2):
            explained = 0.0
            for term in range(8):
                explained += rows[axis, term] * parameters[term]
            miss += (observed[sample, axis] - explained) ** 2
        weight = 1 / (1 + miss / scale**2)
        weights += weight
        for axis in range(2):
            for term in range(8):
                weighted = weight * rows[axis, term]
                right[term] += weighted * observed[sample, axis]
                for other in range(8):
                    normal[term, other] += weighted * rows[axis, other]
    for term in range(8):
        normal[term, term] += ridge[term] * weights


def _field(parameters: npt.NDArray[np.float64], x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> Flow:
    """(h, w, 2) displacements of the model at all pixels."""
    a = parameters.astype(np.float32)
    field = np.empty((y.size, x.size, 2), np.float32)
    rows = y[:, None]
    field[..., 0] = a[0] + a[2] * x + a[6] * x * x + rows * (a[3] + a[7] * x)
    field[..., 1] = (a[1] + a[4] * x) + rows * (a[5] + a[6] * x) + a[7] * rows * rows
    return field
