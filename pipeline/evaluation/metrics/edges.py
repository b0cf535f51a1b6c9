"""Q^AB/F: how much of the sources' edges a fused picture carries over.

C. S. Xydeas, V. Petrovic, "Objective image fusion performance measure", Electronics Letters 36(4), 2000, with the
constants of that paper and L = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.picture import FloatMap

_GAMMA_STRENGTH, _KAPPA_STRENGTH, _SIGMA_STRENGTH = 0.9994, -15.0, 0.5
_GAMMA_ANGLE, _KAPPA_ANGLE, _SIGMA_ANGLE = 0.9879, -22.0, 0.8


@dataclass(frozen=True, slots=True)
class _Edges:
    """Sobel's gradient at every pixel but the outermost."""

    strength: FloatMap
    angle: FloatMap
    """Of the edge's normal, in (-pi/2, pi/2]; opposite directions are the same, as in the paper."""


def q_abf(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], fused: npt.NDArray[np.uint8]) -> float:
    """Q^AB/F of fused luma, all (height, width): 0 = no edge survived, 0.975 = every edge did."""
    of_fused = _edges(fused)
    preserved = present = 0.0
    for source in (first, second):
        of_source = _edges(source)
        preserved += float((_preservation(of_source, of_fused) * of_source.strength).sum(dtype=np.float64))
        present += float(of_source.strength.sum(dtype=np.float64))
    return preserved / present if present > 0 else 0.0


def _edges(luma: npt.NDArray[np.uint8]) -> _Edges:
    across, down = (cv2.Sobel(luma, cv2.CV_32F, *order)[1:-1, 1:-1] for order in ((1, 0), (0, 1)))
    vertical = across == 0
    angle = np.arctan(down / np.where(vertical, np.float32(1), across))
    angle[vertical] = np.pi / 2
    return _Edges(np.asarray(cv2.magnitude(across, down), np.float32), angle)


def _preservation(source: _Edges, fused: _Edges) -> FloatMap:
    """Equations (3) to (7): the product of a sigmoid of relative strength and one of relative orientation."""
    stronger = np.maximum(source.strength, fused.strength)
    strength = np.minimum(source.strength, fused.strength) / np.maximum(stronger, np.float32(1e-6))
    orientation = 1 - np.abs(source.angle - fused.angle) / np.float32(np.pi / 2)
    of_strength = _GAMMA_STRENGTH / (1 + np.exp(_KAPPA_STRENGTH * (strength - _SIGMA_STRENGTH)))
    of_angle = _GAMMA_ANGLE / (1 + np.exp(_KAPPA_ANGLE * (orientation - _SIGMA_ANGLE)))
    return np.asarray(of_strength * of_angle, np.float32)
