"""What a turning camera has in common with itself, so that half a picture tells how the other half moves.

Where most of a picture is saturated or plain, eight parameters fitted to the rest are off by several pixels there. Of
a camera that turns and zooms, only five are free: c = k (p0 x + p1 y) / h with k = (h / focal length)^2, both in
pixels, p5 = p2 and p4 = -p3. k is found in each frame beside the rest. Other cameras, before a slanting plane for
instance, depart from that, so the ties are loose: they weigh as much as a few of some hundred samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.compiling import kernel

FloatArray = npt.NDArray[np.float64]

PARAMETERS = 8
"""Of the displacement field: see ``stages.alignment.camera``."""
_FREE = 5
"""Of a turning camera: both shifts, zoom, roll, and the bend along the shift, k times its length."""
_BEND_SAMPLES, _SHAPE_SAMPLES = 5.0, 10.0
"""How many samples the tie of p6 and p7 to the shift weighs as much as, and those between p2 to p5."""
_SMALL_SAMPLES = 0.3
"""The same of p2 to p5 themselves: between frames a camera hardly zooms or rolls."""
_COMMON_BEND, _LARGEST_BEND = 0.5, 2.0
"""k of a lens that sees 70 degrees across, and of one that sees 110."""
_COMMON_EVIDENCE = 1.0
"""How much the common lens counts where motion does not tell, in samples times squared pixels of motion."""
_RIDGE = 1e-6
"""As a share of the samples' weights: what no sample tells is 0."""


@kernel
def tie(normal: FloatArray, right: FloatArray, parameters: FloatArray) -> None:
    """Adds the ties to the normal equations.

    Args:
        normal: (8, 8) weighted sums over the samples, the first of them that of the weights; written to.
        right: (8,) the same with the displacements.
        parameters: (8,) so far, of which the direction of the shift is taken.
    """
    bend = _bend(normal, right, parameters[0], parameters[1])
    weights = normal[0, 0]
    for term in range(PARAMETERS):
        normal[term, term] += _RIDGE * weights
    for term in range(2, 6):
        normal[term, term] += _SMALL_SAMPLES
    for shift, bent in ((0, 6), (1, 7)):
        _hold(normal, bent, shift, -bend, _BEND_SAMPLES)
    _hold(normal, 2, 5, -1.0, _SHAPE_SAMPLES)
    _hold(normal, 3, 4, 1.0, _SHAPE_SAMPLES)


@kernel
def _hold(normal: FloatArray, one: int, other: int, factor: float, weight: float) -> None:
    """Adds weight * (p_one + factor * p_other)^2 to what is made small."""
    normal[one, one] += weight
    normal[one, other] += weight * factor
    normal[other, one] += weight * factor
    normal[other, other] += weight * factor * factor


@kernel
def _bend(normal: FloatArray, right: FloatArray, to_right: float, to_bottom: float) -> float:
    """k, as far as the samples tell it of a camera that turns in the direction of a shift."""
    length = np.sqrt(to_right * to_right + to_bottom * to_bottom)
    if length == 0:
        return _COMMON_BEND
    spans = np.zeros((_FREE, PARAMETERS))
    spans[0, 0] = spans[1, 1] = spans[2, 2] = spans[2, 5] = spans[3, 3] = 1.0
    spans[3, 4], spans[4, 6], spans[4, 7] = -1.0, to_right / length, to_bottom / length
    few, found, wanted = np.zeros((_FREE, _FREE)), np.empty(_FREE), np.zeros(_FREE)
    for row in range(_FREE):
        for term in range(PARAMETERS):
            wanted[row] += spans[row, term] * right[term]
            for column in range(_FREE):
                for other in range(PARAMETERS):
                    few[row, column] += spans[row, term] * normal[term, other] * spans[column, other]
        few[row, row] += _RIDGE * normal[0, 0]
    solve(few, wanted, found)
    # What is left on the diagonal is what the last unknown weighs once the others have adapted to it.
    evidence = few[_FREE - 1, _FREE - 1] ** 2 * length * length
    own = found[_FREE - 1] / length
    bend = (_COMMON_EVIDENCE * _COMMON_BEND + evidence * own) / (_COMMON_EVIDENCE + evidence)
    return float(min(max(bend, 0.0), _LARGEST_BEND))


@kernel
def solve(normal: FloatArray, right: FloatArray, solution: FloatArray) -> None:
    """Solves (n, n) equations by Cholesky's way; takes ``normal``, symmetrical and positive, apart.

    In a kernel, numpy's own would need scipy.
    """
    size = right.size
    for row in range(size):
        for column in range(row + 1):
            rest = normal[row, column]
            for term in range(column):
                rest -= normal[row, term] * normal[column, term]
            normal[row, column] = np.sqrt(rest) if row == column else rest / normal[column, column]
    for row in range(size):
        rest = right[row]
        for term in range(row):
            rest -= normal[row, term] * solution[term]
        solution[row] = rest / normal[row, row]
    for row in range(size - 1, -1, -1):
        rest = solution[row]
        for term in range(row + 1, size):
            rest -= normal[term, row] * solution[term]
        solution[row] = rest / normal[row, row]
