"""Looks into an equirectangular radiance map with a perspective camera.

Camera axes are x right, y down, z forward. The world has the same axes with z towards the middle of the map:
a view of no rotation looks at its middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from cv2.utils import logging as cv2_logging

from stages.errors import SourceError

FloatArray = npt.NDArray[np.float32]

_PAD = 4
"""Columns and rows repeated around the map, so that no interpolation kernel meets its edge."""
_SMALLEST_LEVEL = 16
"""Rows of the coarsest level kept for minification."""
_FLOOR = 1e-4
"""Darkest radiance kept, relative to the map's median: black has no logarithm."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a perspective camera looks and how wide; pixel centres lie at whole numbers."""

    yaw_deg: float = 0.0
    """Positive turns right; any value, it wraps around."""
    pitch_deg: float = 0.0
    """Positive looks up."""
    roll_deg: float = 0.0
    """Positive turns the camera clockwise, so that the picture turns counter-clockwise."""
    fov_deg: float = 90.0
    """Horizontal field of view, over 0 and under 180."""
    width: int = 640
    height: int = 360

    def __post_init__(self) -> None:
        """Refuse what no camera can be."""
        if not 0 < self.fov_deg < 180:
            raise ValueError(f"fov_deg must lie between 0 and 180, got {self.fov_deg}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a view has at least one pixel, got {self.width}x{self.height}")

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.width / (2 * math.tan(math.radians(self.fov_deg) / 2))

    def rotation(self) -> npt.NDArray[np.float64]:
        """(3, 3) matrix that turns camera directions into world directions."""
        yaw, pitch, roll = (math.radians(angle) for angle in (self.yaw_deg, self.pitch_deg, self.roll_deg))
        turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
        tip = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
        twist = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        matrix: npt.NDArray[np.float64] = turn @ tip @ twist
        return matrix

    def rays(self) -> FloatArray:
        """World direction of every pixel, (3, height, width), not normalised."""
        x = (np.arange(self.width) - (self.width - 1) / 2) / self.focal_px
        y = (np.arange(self.height) - (self.height - 1) / 2) / self.focal_px
        matrix = self.rotation()
        directions = np.empty((3, self.height, self.width), np.float32)
        for axis in range(3):
            directions[axis] = (matrix[axis, 0] * x)[None, :] + (matrix[axis, 1] * y + matrix[axis, 2])[:, None]
        return directions

    def project(self, directions: npt.NDArray[np.floating]) -> FloatArray:
        """Pixel positions (height, width, 2), x then y, of world directions (3, height, width).

        NaN for what lies beside or behind the camera.
        """
        camera = np.tensordot(self.rotation().T, directions, axes=1)
        ahead = np.where(camera[2] > 1e-6, camera[2], np.nan)
        x = camera[0] / ahead * self.focal_px + (self.width - 1) / 2
        y = camera[1] / ahead * self.focal_px + (self.height - 1) / 2
        return np.stack([x, y], axis=-1).astype(np.float32)


class Panorama:
    """An equirectangular map of linear radiance; safe to render from several threads at once."""

    def __init__(self, radiance: FloatArray) -> None:
        """Take a map.

        Args:
            radiance: (height, 2 * height, 3) BGR, linear, any scale. Negative values and NaN count as black,
                infinities as the brightest finite value.

        Raises:
            ValueError: the map is not twice as wide as high, has not three channels or is black.
        """
        height, width = radiance.shape[:2]
        if radiance.ndim != 3 or radiance.shape[2] != 3 or width != 2 * height or height < _SMALLEST_LEVEL:
            raise ValueError(
                f"an equirectangular map is (height, 2 * height, 3) with height {_SMALLEST_LEVEL} or more, "
                f"got {radiance.shape}"
            )
        finite = radiance[np.isfinite(radiance)]
        brightest = float(finite.max(initial=0))
        if brightest <= 0:
            raise ValueError("the map is black everywhere")
        clean = np.nan_to_num(radiance, nan=0.0, posinf=brightest, neginf=0.0)
        floor = _FLOOR * (float(np.median(clean)) or brightest)
        level = np.maximum(clean, floor).astype(np.float32)
        self._density = width / (2 * math.pi)
        self._levels = [_Level(level)]
        while level.shape[0] >= 2 * _SMALLEST_LEVEL:
            level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
            self._levels.append(_Level(level))

    @classmethod
    def load(cls, path: str | Path) -> Panorama:
        """Read a Radiance ``.hdr`` file.

        Raises:
            SourceError: the file is missing, is no radiance map, or is not equirectangular.
        """
        if not Path(path).is_file():
            raise SourceError(f"{path}: no such file; give an equirectangular Radiance .hdr map")
        picture = _read(path)
        if picture is None or picture.dtype != np.float32:
            raise SourceError(f"{path}: no radiance map or damaged; give an equirectangular Radiance .hdr file")
        try:
            return cls(picture.astype(np.float32, copy=False))
        except ValueError as error:
            raise SourceError(f"{path}: {error}") from error

    def render(self, view: View) -> FloatArray:
        """What the camera sees: linear BGR radiance (height, width, 3) in the map's units.

        Every value is finite, positive and between those of the map pixels around it.
        """
        x, y, z = view.rays()
        longitude = np.arctan2(x, z)
        latitude = np.arctan2(y, np.sqrt(x * x + z * z))
        # The middle of a perspective picture has the coarsest pixels: no part needs a coarser level.
        minification = math.log2(max(self._density / view.focal_px, 1.0))
        fine = min(int(minification), len(self._levels) - 1)
        coarse = min(fine + 1, len(self._levels) - 1)
        share = min(minification - fine, 1.0)
        log_radiance = self._levels[fine].sample(longitude, latitude)
        if share > 0 and coarse > fine:
            other = self._levels[coarse].sample(longitude, latitude)
            log_radiance = log_radiance + np.float32(share) * (other - log_radiance)
        return np.asarray(cv2.exp(log_radiance), np.float32)


class _Level:
    """The map at one resolution, as logarithms, where edges of a thousand to one stay smooth."""

    def __init__(self, radiance: FloatArray) -> None:
        self._height, self._width = radiance.shape[:2]
        padded = _pad(np.log(radiance))
        # One kernel pixel right of and below its anchor: the four map pixels around a sampling position.
        box = np.ones((2, 2), np.uint8)
        self._log_radiance = padded
        self._low = cv2.erode(padded, box, anchor=(0, 0))
        self._high = cv2.dilate(padded, box, anchor=(0, 0))

    def sample(self, longitude: FloatArray, latitude: FloatArray) -> FloatArray:
        """Log radiance (height, width, 3) at angles in radians, right and down positive."""
        x = (longitude * np.float32(1 / (2 * math.pi)) + np.float32(0.5)) * self._width + np.float32(_PAD - 0.5)
        y = (latitude * np.float32(1 / math.pi) + np.float32(0.5)) * self._height + np.float32(_PAD - 0.5)
        cubic = cv2.remap(self._log_radiance, x, y, cv2.INTER_CUBIC)
        # Cubic lobes overshoot; held within the four pixels around, a lamp gets no dark ring.
        column, row = np.floor(x), np.floor(y)
        low = cv2.remap(self._low, column, row, cv2.INTER_NEAREST)
        high = cv2.remap(self._high, column, row, cv2.INTER_NEAREST)
        return np.asarray(cv2.min(cv2.max(cubic, low), high), np.float32)


def _pad(picture: FloatArray) -> FloatArray:
    """Repeat columns around the seam and, half a turn further, rows over the poles."""
    half_turn = np.roll(picture, picture.shape[1] // 2, axis=1)
    tall = np.concatenate([half_turn[:_PAD][::-1], picture, half_turn[-_PAD:][::-1]])
    return np.concatenate([tall[:, -_PAD:], tall, tall[:, :_PAD]], axis=1).astype(np.float32)


def _read(path: str | Path) -> npt.NDArray[np.integer | np.floating] | None:
    """The picture in a file; None when OpenCV, which would print its own reasons, cannot make one of it."""
    log_level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2_logging.setLogLevel(log_level)
