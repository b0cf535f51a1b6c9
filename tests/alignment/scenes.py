"""Small scenes with known motion, photographed at known exposures."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Picture
from stages.color import planes_from_bgr
from stages.frame import BT709, ColorTags, ExposurePair, Frame, PixelArray, Planes

Radiance = npt.NDArray[np.float32]
"""(height, width, 3) linear BGR; 1 saturates a frame exposed at 0 stops."""


def eight_bit(luma: PixelArray) -> Picture:
    """Luma of 8 bits as pictures at the working size have it."""
    return luma.astype(np.uint8)


def textured_radiance(height: int, width: int, *, seed: int = 0, range_stops: float = 5.0) -> Radiance:
    """Soft hills, sharp rectangles and fine grain of all colours; ``range_stops`` around 2^-4."""
    rng = np.random.default_rng(seed)
    log2 = np.zeros((height, width), np.float32)
    for sigma, gain in ((24.0, 1.0), (6.0, 0.6), (1.5, 0.35)):
        octave = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), sigma)
        log2 += gain * octave / octave.std()
    for _ in range(height * width // 1500):
        top, left = rng.integers(0, height), rng.integers(0, width)
        rows, columns = rng.integers(4, 28, 2)
        log2[top : top + rows, left : left + columns] += rng.normal(0, 0.8)
    log2 *= range_stops / 6 / log2.std()
    tint = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), 12)
    tint *= 0.4 / tint.std()
    radiance: Radiance = np.exp2(log2[..., None] + tint - 4).astype(np.float32)
    return radiance


def window(canvas: Radiance, height: int, width: int, *, dx: float, dy: float) -> Radiance:
    """What a camera sees whose upper left corner looks at (x, y) = (32 + dx, 32 + dy) of the canvas."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 32 + dx, np.arange(height, dtype=np.float32) + 32 + dy)
    seen = cv2.remap(canvas, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)
    return np.asarray(seen, np.float32)


def photograph(
    radiance: Radiance,
    *,
    stops: float,
    noise: float = 0.0,
    seed: int = 0,
    bit_depth: int = 8,
    color: ColorTags = BT709,
) -> Planes:
    """Expose, saturate, add read and shot noise (``noise`` = deviation at saturation), gamma-encode."""
    linear = np.clip(radiance, 0, None) * 2.0**stops
    if noise:
        rng = np.random.default_rng(seed)
        deviation = noise * np.sqrt(0.02 + linear)
        linear = linear + deviation * rng.standard_normal(linear.shape)
    encoded = np.clip(linear, 0, 1).astype(np.float32) ** np.float32(1 / 2.2)
    return planes_from_bgr(encoded.astype(np.float32), color, bit_depth=bit_depth)


def frame(planes: Planes, *, index: int = 0, color: ColorTags = BT709) -> Frame:
    return Frame(index=index, planes=planes, pts=index, time_base=Fraction(1, 25), color=color)


def pair_of(
    reference: Planes,
    neighbour: Planes,
    *,
    reference_is_under: bool,
    index: int = 1,
    ratio_stops: float = 3.0,
    color: ColorTags = BT709,
) -> ExposurePair:
    return ExposurePair(
        reference=frame(reference, index=index, color=color),
        neighbour=frame(neighbour, index=index - 1, color=color),
        reference_is_under=reference_is_under,
        ratio_stops=ratio_stops,
    )


def psnr_db(picture: Planes, truth: Planes, *, border: int = 0) -> float:
    inner = np.s_[border : picture.height - border, border : picture.width - border]
    error = picture.luma[inner].astype(np.float64) - truth.luma[inner]
    return float(20 * np.log10(truth.max_value / max(float(np.sqrt(np.mean(error**2))), 1e-9)))
