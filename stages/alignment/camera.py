"""Camera motion: the smooth displacement field that most of the picture follows.

The field is that of a turning camera (or of a plane before a moving one): a homography, told by eight parameters. With
c = (p6 x + p7 y) / h, where h is half the long side in pixels, a point (x, y) moves by (p0 + p2 x + p3 y + h x c) /
(1 - c) to the right, and likewise downwards. Without the denominator it is the field of an instant (H. C.
Longuet-Higgins and K. Prazdny, "The interpretation of a moving retinal image", 1980). From frame to frame of a fast pan
that is off by up to a pixel at the borders, which shows where the picture itself has nothing to hold on to.

How the parameters are tied to one another is told by ``stages.alignment.rotation``.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.median import median
from stages.alignment.rotation import PARAMETERS, solve, tie
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
_LEAST_DENOMINATOR = np.float32(0.5)
"""Of the field: no camera turns so far between frames that flow still finds it."""
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
    parameters = _robust_fit(across[usable], down[usable], flow[samples][usable], pixel, max(width, height) / 2)
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
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], observed: npt.NDArray[np.float32], pixel: float, half: float
) -> npt.NDArray[np.float64]:
    """Eight parameters from displacements (n, 2) at n points, iteratively reweighted least squares."""
    parameters: npt.NDArray[np.float64] = np.zeros(PARAMETERS)
    parameters[:2] = [median(across) for across in observed.T]
    samples = np.ascontiguousarray(np.vstack([x, y, observed.T]), np.float64)
    _refit(samples, _INLIER_PX / pixel, half, parameters)
    return parameters


@kernel
def _refit(
    samples: npt.NDArray[np.float64],
    inlier: float,
    half: float,
    parameters: npt.NDArray[np.float64],
) -> None:
    """Fits again and again, with ever less patience for what the parameters do not explain."""
    normal, right = np.empty((PARAMETERS, PARAMETERS)), np.empty(PARAMETERS)
    scale = 16 * inlier
    for _ in range(_ITERATIONS):
        _sum_up(samples, parameters, scale, half, normal, right)
        tie(normal, right, parameters)
        solve(normal, right, parameters)
        scale = max(inlier, scale / 2)


@kernel
def _sum_up(
    samples: npt.NDArray[np.float64],
    parameters: npt.NDArray[np.float64],
    scale: float,
    half: float,
    normal: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> None:
    """Adds up the normal equations, each sample weighted by how well the parameters explain it.

    They are made of few moments: of the weights with the coordinates' powers, and with the displacements.
    """
    p0, p1, p2, p3, p4, p5, p6, p7 = parameters
    across, down, to_right, to_bottom = samples
    one = x1 = y1 = xx = xy = yy = xxx = xxy = xyy = yyy = xxxx = xxxy = xxyy = xyyy = yyyy = 0.0
    u = ux = uy = v = vx = vy = bent_x = bent_y = 0.0
    for sample in range(across.size):
        x, y, right_px, down_px = across[sample], down[sample], to_right[sample], to_bottom[sample]
        bend = p6 * x + p7 * y
        # What the parameters are linear in; the denominator is that of the parameters so far.
        right_px, down_px = right_px * (1 - bend / half), down_px * (1 - bend / half)
        miss_x = right_px - (p0 + p2 * x + p3 * y + x * bend)
        miss_y = down_px - (p1 + p4 * x + p5 * y + y * bend)
        weight = 1 / (1 + (miss_x * miss_x + miss_y * miss_y) / (scale * scale))
        wx, wy, wu, wv = weight * x, weight * y, weight * right_px, weight * down_px
        wxx, wxy, wyy = wx * x, wx * y, wy * y
        one, x1, y1 = one + weight, x1 + wx, y1 + wy
        xx, xy, yy = xx + wxx, xy + wxy, yy + wyy
        xxx, xxy, xyy, yyy = xxx + wxx * x, xxy + wxx * y, xyy + wxy * y, yyy + wyy * y
        xxxx, xxxy, xxyy = xxxx + wxx * x * x, xxxy + wxx * x * y, xxyy + wxx * y * y
        xyyy, yyyy = xyyy + wxy * y * y, yyyy + wyy * y * y
        u, ux, uy = u + wu, ux + wu * x, uy + wu * y
        v, vx, vy = v + wv, vx + wv * x, vy + wv * y
        away = x * right_px + y * down_px
        bent_x, bent_y = bent_x + wx * away, bent_y + wy * away
    rows = (
        (one, 0.0, x1, y1, 0.0, 0.0, xx, xy),
        (0.0, one, 0.0, 0.0, x1, y1, xy, yy),
        (x1, 0.0, xx, xy, 0.0, 0.0, xxx, xxy),
        (y1, 0.0, xy, yy, 0.0, 0.0, xxy, xyy),
        (0.0, x1, 0.0, 0.0, xx, xy, xxy, xyy),
        (0.0, y1, 0.0, 0.0, xy, yy, xyy, yyy),
        (xx, xy, xxx, xxy, xxy, xyy, xxxx + xxyy, xxxy + xyyy),
        (xy, yy, xxy, xyy, xyy, yyy, xxxy + xyyy, xxyy + yyyy),
    )
    for row in range(PARAMETERS):
        for column in range(PARAMETERS):
            normal[row, column] = rows[row][column]
    for row, total in enumerate((u, v, ux, uy, vx, vy, bent_x, bent_y)):
        right[row] = total


def _field(parameters: npt.NDArray[np.float64], x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> Flow:
    """(h, w, 2) displacements of the model at all pixels."""
    field = np.empty((y.size, x.size, 2), np.float32)
    _draw(parameters.astype(np.float32), x, y, np.float32(1 / (max(x.size, y.size) / 2)), field)
    return field


@kernel
def _draw(
    parameters: npt.NDArray[np.float32],
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    per_half: np.float32,
    field: Flow,
) -> None:
    p0, p1, p2, p3, p4, p5, p6, p7 = parameters
    for row in range(y.size):
        steps, down = field[row].reshape(-1), y[row]
        for column in range(x.size):
            across = x[column]
            bend = p6 * across + p7 * down
            scale = np.float32(1) / max(np.float32(1) - bend * per_half, _LEAST_DENOMINATOR)
            steps[2 * column] = (p0 + p2 * across + p3 * down + across * bend) * scale
            steps[2 * column + 1] = (p1 + p4 * across + p5 * down + down * bend) * scale
