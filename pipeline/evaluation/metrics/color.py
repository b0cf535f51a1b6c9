"""Whether colour stayed what it was, in CIELAB (CIE 15; D65, sRGB).

What it is compared with: the sources' a* and b*, averaged with weights that fall off from middle grey as a Gaussian of
sigma 0.2 does (the well-exposedness of Mertens, Kautz, Van Reeth, "Exposure Fusion", 2007, taken of luma).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.picture import FloatMap, Picture, encoded_floats

_WELL_EXPOSED_SIGMA = 0.2

Chroma = npt.NDArray[np.float32]
"""(height, width, 2): a* and b*."""


@dataclass(frozen=True, slots=True)
class ColorFidelity:
    """A fused picture's colour against the sources'."""

    chroma_distance: float
    """Mean distance in a*, b*."""
    hue_distance: float
    """Mean of CIELAB's hue difference: the part of the distance that changes hue; grey has none."""
    saturation: float
    """Mean chroma over the sources' mean chroma: under 1 is greyer than they are."""


def lab(picture: Picture) -> tuple[FloatMap, Chroma]:
    """Lightness (height, width) from 0 to 100, and chroma."""
    converted = cv2.cvtColor(encoded_floats(picture), cv2.COLOR_BGR2Lab)
    return np.ascontiguousarray(converted[..., 0]), np.ascontiguousarray(converted[..., 1:])


def expected_chroma(chromas: tuple[Chroma, Chroma], lumas: tuple[npt.NDArray[np.uint8], ...]) -> Chroma:
    """The sources' chroma, averaged with the weights of well-exposedness."""
    levels = np.arange(256) / 255
    curve = np.exp(-((levels - 0.5) ** 2) / (2 * _WELL_EXPOSED_SIGMA**2)).astype(np.float32)
    first, second = (curve[luma] for luma in lumas)
    share = (first / (first + second))[..., None]
    return np.asarray(chromas[1] + share * (chromas[0] - chromas[1]), np.float32)


def color_fidelity(chroma: Chroma, expected: Chroma) -> ColorFidelity:
    """Compare a fused picture's chroma with what the sources led to expect."""
    distance = _length(chroma - expected)
    saturation, expected_saturation = _length(chroma), _length(expected)
    of_hue = np.sqrt(np.maximum(distance**2 - (saturation - expected_saturation) ** 2, 0))
    mean_expected = float(expected_saturation.mean(dtype=np.float64))
    return ColorFidelity(
        chroma_distance=float(distance.mean(dtype=np.float64)),
        hue_distance=float(of_hue.mean(dtype=np.float64)),
        saturation=float(saturation.mean(dtype=np.float64)) / mean_expected if mean_expected > 0 else 1.0,
    )


def _length(chroma: Chroma) -> FloatMap:
    return np.asarray(cv2.magnitude(chroma[..., 0], chroma[..., 1]), np.float32)
