"""How a simulated camera moves: steady pan, tilt and zoom with a hand's tremor on top."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stages.capture.panorama import View

_TREMOR_HZ = (0.4, 7.0)
"""Slowest sway and fastest tremor of a hand that holds a camera."""
_TREMOR_WAVES = 12


@dataclass(frozen=True)
class CameraPath:
    """A view as a smooth function of time; the same values give the same path."""

    start: View
    """The view at time 0, before the tremor."""
    pan_deg_per_s: float = 0.0
    """Positive turns right."""
    tilt_deg_per_s: float = 0.0
    """Positive looks up."""
    zoom_per_s: float = 1.0
    """The focal length is multiplied by this every second: 1 stays, 1.1 closes in."""
    shake_deg: float = 0.0
    """Root mean square of the tremor about each of yaw and pitch; roll has half."""
    seed: int = 0
    """Chooses the tremor."""

    def __post_init__(self) -> None:
        """Refuse what is no motion."""
        if self.zoom_per_s <= 0:
            raise ValueError(f"zoom_per_s must be over 0, got {self.zoom_per_s}")
        if self.shake_deg < 0:
            raise ValueError(f"shake_deg must not be negative, got {self.shake_deg}")

    def view_at(self, time_s: float) -> View:
        """The view at a time, in seconds from the start."""
        yaw, pitch, roll = self._tremor_at(time_s)
        half_width = math.tan(math.radians(self.start.fov_deg) / 2) / self.zoom_per_s**time_s
        return dataclasses.replace(
            self.start,
            yaw_deg=self.start.yaw_deg + self.pan_deg_per_s * time_s + yaw,
            pitch_deg=self.start.pitch_deg + self.tilt_deg_per_s * time_s + pitch,
            roll_deg=self.start.roll_deg + roll / 2,
            fov_deg=math.degrees(2 * math.atan(half_width)),
        )

    def _tremor_at(self, time_s: float) -> tuple[float, float, float]:
        """Degrees about yaw, pitch and roll, each of the same strength."""
        if self.shake_deg == 0:
            return 0.0, 0.0, 0.0
        frequencies, amplitudes, phases = self._waves
        angles = np.sum(amplitudes * np.sin(2 * math.pi * frequencies * time_s + phases), axis=1)
        yaw, pitch, roll = (float(angle) for angle in self.shake_deg * angles)
        return yaw, pitch, roll

    @cached_property
    def _waves(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(frequencies in hertz, amplitudes, phases), each (3, waves); a unit root mean square for each axis."""
        rng = np.random.default_rng([self.seed, 0x5AFE])
        slowest, fastest = np.log(_TREMOR_HZ)
        frequencies = np.exp(rng.uniform(slowest, fastest, (3, _TREMOR_WAVES)))
        # A hand sways far and slowly, trembles little and fast.
        amplitudes = rng.uniform(0.5, 1.0, frequencies.shape) / frequencies
        amplitudes *= np.sqrt(2 / np.sum(amplitudes**2, axis=1, keepdims=True))
        phases = rng.uniform(0, 2 * math.pi, frequencies.shape)
        return frequencies, amplitudes, phases
