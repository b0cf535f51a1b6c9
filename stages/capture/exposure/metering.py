"""What exposure control looks at: how much of a picture is how bright.

Light is found with the inverse of the sRGB curve (IEC 61966-2-1). Cameras' own curves differ from it, so that what
is measured here is an estimate; that it grows with the light is certain, and a closed loop needs no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import ColorTags, Planes

Floats = npt.NDArray[np.float64]

CLIPPED = float(np.log2(0.88))
"""log2 of linear light (1 = white) from which a sample may be clipped; sRGB 0.945."""
BLACK = float(np.log2(0.004))
"""log2 of linear light up to which a sample is lost in noise and coarse codes; sRGB 0.05."""

_SAMPLE_SIZE = (320, 180)
_QUANTILES = np.linspace(0, 1, 65)
_ENOUGH = 0.05
"""Share of the picture that must be well exposed in both frames to measure a shift."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A picture's brightness, in log2 of linear light: 0 is white, negative below."""

    cumulative: Floats
    """(256,): share of the picture up to each 8 bit code value."""
    light: Floats
    """(256,): log2 light of each code value, at least ``BLACK``."""

    def level(self, share: float) -> float:
        """The light that this share of the picture does not exceed."""
        return float(self.light[np.searchsorted(self.cumulative, share - 1e-9)])

    @property
    def clipped_share(self) -> float:
        """Share of the picture that may be clipped."""
        return float(1 - self.cumulative[np.searchsorted(self.light, CLIPPED) - 1])

    @property
    def black_share(self) -> float:
        """Share of the picture that is lost in the dark."""
        return float(self.cumulative[np.searchsorted(self.light, BLACK, side="right") - 1])

    @property
    def quantiles(self) -> Floats:
        """(65,) ascending."""
        quantiles: Floats = self.light[np.minimum(np.searchsorted(self.cumulative, _QUANTILES - 1e-9), 255)]
        return quantiles


def read_meter(planes: Planes, color: ColorTags) -> Reading:
    """Brightness of a picture; looks at some 100,000 luma samples at most, whatever its size."""
    step_x = max(1, planes.width // _SAMPLE_SIZE[0])
    step_y = max(1, planes.height // _SAMPLE_SIZE[1])
    sparse = planes.luma[::step_y, ::step_x]
    codes = np.ascontiguousarray(sparse if planes.bit_depth == 8 else sparse >> (planes.bit_depth - 8), np.uint8)
    counts = cv2.calcHist([codes], [0], None, [256], [0, 256]).ravel()
    return Reading(np.cumsum(counts, dtype=np.float64) / codes.size, _log_light(is_full_range=color.is_full_range))


def _log_light(*, is_full_range: bool) -> Floats:
    """(256,): log2 light of 8 bit codes."""
    black, span = (0, 255) if is_full_range else (16, 219)
    signal = np.clip((np.arange(256) - black) / span, 0, 1)
    linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    light: Floats = np.log2(np.maximum(linear, 2.0**BLACK))
    return light


@dataclass(frozen=True, slots=True)
class Shift:
    """By how many stops one picture is brighter than another."""

    stops: float
    is_exact: bool = True
    """False when hardly anything is well exposed in both: ``stops`` is then a lower bound."""


def shift_between(first: Reading, second: Reading) -> Shift:
    """From the first picture to the second: the median over the quantiles that are well exposed in both."""
    here, there = first.quantiles, second.quantiles
    change = there - here
    well = (np.minimum(here, there) > BLACK) & (np.maximum(here, there) < CLIPPED)
    if well.mean() < _ENOUGH:
        low, high = np.quantile(change, [0.1, 0.9])
        return Shift(float(low if -low > high else high), is_exact=False)
    return Shift(float(np.median(change[well])))
