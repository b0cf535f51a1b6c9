"""Moving objects between the camera and the radiance map: flat, textured, each on its own way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.capture.motion import CameraPath
from stages.capture.panorama import View

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Texture:
    """Two colours in soft-edged bands and spots with a fine weave, in closed form: sharp at every size."""

    colors: npt.NDArray[np.float32]
    """(2, 3) BGR radiance."""
    waves: npt.NDArray[np.float32]
    """(3, 3), for each wave its cycles along x and y and its phase; the last is the weave."""

    def radiance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Radiance (n, 3) at positions (n,) in object radii."""
        angles = 2 * math.pi * (np.outer(x, self.waves[:, 0]) + np.outer(y, self.waves[:, 1]) + self.waves[:, 2])
        bands, spots, weave = np.sin(angles).T
        share = 0.5 + 0.5 * np.tanh(4 * (bands + spots))
        dark, light = np.log(self.colors)
        log_radiance = dark + share[:, None] * (light - dark) + 0.15 * weave[:, None]
        # The rim turns away from the light, as a ball's does.
        shade = 1 - 0.5 * np.minimum(x * x + y * y, 1)
        radiance: FloatArray = (np.exp(log_radiance) * shade[:, None]).astype(np.float32)
        return radiance


@dataclass(frozen=True, slots=True)
class MovingObject:
    """A lobed disc that faces the camera, drifts, swings and spins; its size and place are angles."""

    yaw_deg: float
    pitch_deg: float
    """Where its centre is at time 0, before the swing."""
    radius_deg: float
    """Under 45."""
    drift_deg_per_s: tuple[float, float]
    """Yaw and pitch."""
    swing_deg: tuple[float, float]
    """Amplitude of the swing in yaw and pitch."""
    swing_hz: float
    swing_phase: float
    spin_deg_per_s: float
    lobes: int
    lobe_depth: float
    """Share of the radius by which the outline goes in and out; 0 is a disc."""
    texture: Texture

    def pose_at(self, time_s: float) -> npt.NDArray[np.float64]:
        """(3, 3) matrix that turns the object's axes (x right, y down, z away) into the world's."""
        turn = 2 * math.pi * self.swing_hz * time_s + self.swing_phase
        return View(
            yaw_deg=self.yaw_deg + self.drift_deg_per_s[0] * time_s + self.swing_deg[0] * math.sin(turn),
            pitch_deg=self.pitch_deg + self.drift_deg_per_s[1] * time_s + self.swing_deg[1] * math.cos(turn),
            roll_deg=self.spin_deg_per_s * time_s,
        ).rotation()

    def locate(self, directions: FloatArray, time_s: float) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Which of the world directions (3, ...) may meet the object, and where on it.

        Returns:
            Flat indices (n,) and positions (2, n) in object radii.
        """
        pose = self.pose_at(time_s).astype(np.float32)
        x, y, z = directions
        depth = pose[0, 2] * x + pose[1, 2] * y + pose[2, 2] * z
        nearest = np.cos(np.radians(self.radius_deg * (1 + self.lobe_depth) + 1))
        near = np.flatnonzero(depth > nearest * np.sqrt(x * x + y * y + z * z))
        local = pose.T @ directions.reshape(3, -1)[:, near]
        return near, local[:2] / (local[2] * np.float32(math.tan(math.radians(self.radius_deg))))

    def direction(self, positions: FloatArray, time_s: float) -> FloatArray:
        """World directions (3, n) of positions (2, n) on the object."""
        size = math.tan(math.radians(self.radius_deg))
        local = np.concatenate([positions * np.float32(size), np.ones_like(positions[:1])])
        world: FloatArray = (self.pose_at(time_s) @ local).astype(np.float32)
        return world

    def coverage(self, positions: FloatArray, focal_px: float) -> FloatArray:
        """Share (n,) of each pixel that the object covers, from its distance to the outline."""
        x, y = positions
        outline = 1 + self.lobe_depth * np.cos(self.lobes * np.arctan2(y, x))
        pixels_per_radius = focal_px * math.tan(math.radians(self.radius_deg))
        inside_px = (outline - np.sqrt(x * x + y * y)) * np.float32(pixels_per_radius)
        covered: FloatArray = np.clip(inside_px + 0.5, 0, 1).astype(np.float32)
        return covered


def scatter(count: int, path: CameraPath, *, middle_radiance: float, seed: int) -> list[MovingObject]:
    """Objects that cross the picture while the camera follows them loosely.

    Args:
        count: how many; the last is the nearest to the camera.
        path: the camera's; objects start within its first view and drift along with its pan and tilt.
        middle_radiance: of the scene; objects lie around it, some in the light, some in the dark.
        seed: chooses shapes, colours and ways.
    """
    view = path.start
    half_width = view.fov_deg / 2
    half_height = math.degrees(math.atan(math.tan(math.radians(half_width)) * view.height / view.width))
    objects = []
    for number in range(count):
        rng = np.random.default_rng([seed, 0x0B1EC7, number])
        levels = np.exp2(rng.uniform([-2.5, 0.0], [-0.5, 2.5]))
        tints = np.exp(rng.normal(0, 0.5, (2, 3)))
        directions = rng.uniform(0, 2 * math.pi, 3)
        cycles = np.array([0.8, 0.8, 4.0]) * rng.uniform(0.7, 1.4, 3)
        waves = np.stack([cycles * np.cos(directions), cycles * np.sin(directions), rng.random(3)], axis=1)
        objects.append(
            MovingObject(
                yaw_deg=view.yaw_deg + half_width * rng.uniform(-0.4, 0.4),
                pitch_deg=view.pitch_deg + half_height * rng.uniform(-0.6, 0.2),
                radius_deg=half_height * rng.uniform(0.15, 0.3),
                drift_deg_per_s=(path.pan_deg_per_s, path.tilt_deg_per_s),
                swing_deg=(half_width * rng.uniform(0.25, 0.5), half_height * rng.uniform(0.0, 0.3)),
                swing_hz=rng.uniform(0.15, 0.35),
                swing_phase=rng.uniform(0, 2 * math.pi),
                spin_deg_per_s=rng.uniform(-60, 60),
                lobes=int(rng.integers(3, 8)),
                lobe_depth=rng.uniform(0, 0.2),
                texture=Texture(
                    (middle_radiance * levels[:, None] * tints).astype(np.float32), waves.astype(np.float32)
                ),
            )
        )
    return objects
