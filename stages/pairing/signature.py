"""What pairing remembers of a frame: a few hundred numbers, never the picture.

Linear light is found with the inverse of the sRGB curve (IEC 61966-2-1). Cameras' own curves differ from it,
so a ratio of exposures measured in pictures is an estimate; which frame is the brighter one is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import ColorTags, Planes

Floats = npt.NDArray[np.float32]

DARKEST = 0.0031
"""Linear light (1 = white) below which codes are too coarse and noise too strong to measure; sRGB 0.04."""
BRIGHTEST = 0.88
"""Linear light above which a pixel may be clipped; sRGB 0.945."""

_SAMPLE_SIZE = (384, 216)
_GRID_SIZE = (96, 54)
_BLOCKS_SIZE = (32, 18)
_QUANTILES = 129


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """A frame's brightness and rough content, in log2 of linear light: 0 is white, negative below."""

    quantiles: Floats
    """(129,) ascending: how much of the picture is how bright; motion does not change it."""
    blocks: Floats
    """(18, 32): where it is bright."""


def _linear_light(luma: Floats, color: ColorTags, bit_depth: int) -> Floats:
    """Light in [0, 1] of luma code values."""
    unit = float(1 << (bit_depth - 8))
    black, span = (0.0, 256 * unit - 1) if color.is_full_range else (16 * unit, 219 * unit)
    signal = np.clip((luma - black) / span, 0, 1)
    linear: Floats = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return linear


def measure(planes: Planes, color: ColorTags) -> Signature:
    """The signature of a picture; reads some 100,000 of its luma samples at most, whatever its size."""
    step_x = max(1, planes.width // _SAMPLE_SIZE[0])
    step_y = max(1, planes.height // _SAMPLE_SIZE[1])
    sparse = planes.luma[::step_y, ::step_x].astype(np.float32)
    # Averaging before anything else takes the noise out of the shadows.
    grid = cv2.resize(sparse, _GRID_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    light = np.log2(np.maximum(_linear_light(grid, color, planes.bit_depth), DARKEST)).astype(np.float32)
    ranks = np.linspace(0, light.size - 1, _QUANTILES).astype(np.intp)
    blocks = cv2.resize(light, _BLOCKS_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    return Signature(quantiles=np.sort(light, axis=None)[ranks], blocks=blocks)
