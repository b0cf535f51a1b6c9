"""From linear radiance to a camera's picture: exposure, shot and read noise, clipping, response curve."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import PixelArray

FloatArray = npt.NDArray[np.float32]

MIDDLE_GREY = 0.18
"""Share of the sensor's range at which a well exposed scene has its middle."""

_CURVE_STEPS = 4096


@dataclass(frozen=True, slots=True)
class ResponseCurve:
    """A monotone curve from [0, 1] to [0, 1]: a power law with a straight toe, then an S for contrast.

    The power law is (1 + offset) * x ** (1 / gamma) - offset, as in sRGB and BT.709, and its toe the line
    through the origin that touches it. The S blends in the smoothstep 3y^2 - 2y^3 by ``contrast``.
    """

    gamma: float = 2.4
    """Over 1."""
    offset: float = 0.055
    """0 or more; 0 is a pure power law without a toe."""
    contrast: float = 0.0
    """In [0, 1): 0 leaves the power law alone; cameras' own picture styles lie at 0.2 to 0.6."""

    def __post_init__(self) -> None:
        """Refuse curves that cannot be inverted."""
        if self.gamma <= 1 or self.offset < 0 or self._toe[1] >= 1:
            raise ValueError(
                f"gamma must be over 1 and offset small and not negative, got {self.gamma} and {self.offset}"
            )
        if not 0 <= self.contrast < 1:
            raise ValueError(f"contrast must be at least 0 and under 1, got {self.contrast}")

    @property
    def _toe(self) -> tuple[float, float]:
        """Where the straight toe ends: (linear, encoded)."""
        encoded = self.offset / (self.gamma - 1)
        return ((encoded + self.offset) / (1 + self.offset)) ** self.gamma, encoded

    def encode(self, linear: FloatArray) -> FloatArray:
        """Encoded values in [0, 1] of linear ones in [0, 1], any shape."""
        power = np.asarray(cv2.pow(linear, 1 / self.gamma), np.float32).reshape(linear.shape)
        encoded = np.float32(1 + self.offset) * power - np.float32(self.offset)
        toe_linear, toe_encoded = self._toe
        if toe_linear > 0:
            encoded = np.where(linear < toe_linear, linear * np.float32(toe_encoded / toe_linear), encoded)
        if self.contrast > 0:
            smooth = encoded * encoded * (np.float32(3) - np.float32(2) * encoded)
            encoded += np.float32(self.contrast) * (smooth - encoded)
        return encoded

    def decode(self, encoded: FloatArray) -> FloatArray:
        """Linear values in [0, 1] of encoded ones in [0, 1], any shape."""
        # Steps even in the cube root follow the curve's steep foot.
        linear = np.linspace(0, 1, _CURVE_STEPS) ** 3
        steps = self.encode(linear.astype(np.float32))
        return np.interp(encoded, steps, linear).astype(np.float32)


RESPONSES = {
    "srgb": ResponseCurve(gamma=2.4, offset=0.055),
    "bt709": ResponseCurve(gamma=1 / 0.45, offset=0.099),
    "gamma": ResponseCurve(gamma=2.2, offset=0.0),
    "s_curve": ResponseCurve(gamma=2.4, offset=0.055, contrast=0.4),
}
"""IEC 61966-2-1, ITU-R BT.709, a plain power law, and sRGB with the contrast of a camera's picture style."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A linear sensor behind a response curve.

    Noise is Gaussian with variance electrons + read_noise ** 2 before gain: the usual stand-in for Poisson
    counts, close from about ten electrons up.
    """

    full_well_electrons: float = 12000.0
    """Electrons at which a pixel is full; noise grows as it shrinks."""
    read_noise_electrons: float = 4.0
    response: ResponseCurve = RESPONSES["srgb"]

    def __post_init__(self) -> None:
        """Refuse what no sensor can be."""
        if self.full_well_electrons <= 0:
            raise ValueError(f"full_well_electrons must be over 0, got {self.full_well_electrons}")
        if self.read_noise_electrons < 0:
            raise ValueError(f"read_noise_electrons must not be negative, got {self.read_noise_electrons}")

    def expose(
        self,
        radiance: FloatArray,
        exposure: float,
        *,
        gain: float = 1.0,
        rng: np.random.Generator | None = None,
    ) -> FloatArray:
        """The picture a scene leaves on the sensor.

        Args:
            radiance: linear, any shape, not negative.
            exposure: fills a pixel of radiance 1 / ``exposure`` to the brim at gain 1.
            gain: multiplies signal and noise alike after the pixel was filled.
            rng: source of the noise; None for a noise-free picture.

        Returns:
            Encoded values in [0, 1], same shape.
        """
        signal = np.minimum(radiance * np.float32(exposure), np.float32(1))
        if rng is not None:
            variance = signal * np.float32(1 / self.full_well_electrons)
            variance += np.float32((self.read_noise_electrons / self.full_well_electrons) ** 2)
            signal += np.sqrt(variance) * rng.standard_normal(signal.shape, np.float32)
        return self.response.encode(np.clip(signal * np.float32(gain), 0, 1))


def code_values(picture: FloatArray, *, bit_depth: int = 8) -> PixelArray:
    """Full-range code values of encoded ones in [0, 1]: uint8 for 8 bit, uint16 for more."""
    scaled: FloatArray = np.rint(picture * np.float32((1 << bit_depth) - 1))
    return scaled.astype(np.uint8) if bit_depth == 8 else scaled.astype(np.uint16)


def middle_exposure(radiance: FloatArray, *, dark_percent: float = 20, bright_percent: float = 98) -> float:
    """The exposure that brings the scene's middle to middle grey.

    The middle is the geometric mean of two percentiles of luminance, so that an under and an over exposure
    around it share the scene between them.

    Args:
        radiance: (height, width, 3) BGR, linear.
        dark_percent: percentile that stands for the shadows.
        bright_percent: percentile that stands for the lights; what lies above may clip.
    """
    luminance = radiance @ np.array([0.0722, 0.7152, 0.2126], np.float32)
    dark, bright = np.percentile(luminance, [dark_percent, bright_percent])
    return float(MIDDLE_GREY / np.sqrt(max(dark * bright, 1e-12)))
