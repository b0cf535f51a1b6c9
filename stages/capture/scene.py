"""A scene in motion: a radiance map seen along a camera path, with objects in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.capture.foreground import MovingObject
from stages.capture.motion import CameraPath
from stages.capture.panorama import Panorama

FloatArray = npt.NDArray[np.float32]

_BACKGROUND = -1


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Where the points of one picture are in another."""

    displacement: FloatArray
    """(height, width, 2), x then y, in pixels: the other picture sampled at (x + dx, y + dy) gives this one. NaN
    for points beside or behind the other camera."""
    visible: npt.NDArray[np.bool_]
    """(height, width): False where the point is outside the other picture or covered by another surface in it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything in front of the camera, as a function of time; safe to use from several threads at once."""

    panorama: Panorama
    path: CameraPath
    objects: Sequence[MovingObject] = ()
    """From far to near."""

    def radiance(self, time_s: float) -> FloatArray:
        """Linear BGR radiance (height, width, 3) at a time."""
        view = self.path.view_at(time_s)
        picture = self.panorama.render(view)
        if not self.objects:
            return picture
        pixels = picture.reshape(-1, 3)
        rays = view.rays()
        for thing in self.objects:
            near, positions = thing.locate(rays, time_s)
            alpha = thing.coverage(positions, view.focal_px)[:, None]
            pixels[near] += alpha * (thing.texture.radiance(*positions) - pixels[near])
        return picture

    def flow(self, time_s: float, other_time_s: float) -> Flow:
        """Exact motion from the picture at one time to the picture at another, before and after alike."""
        view, other = self.path.view_at(time_s), self.path.view_at(other_time_s)
        points = view.rays()
        surface = self._surfaces(time_s)
        for number, thing in enumerate(self.objects):
            near, positions = thing.locate(view.rays(), time_s)
            seen = surface.ravel()[near] == number
            points.reshape(3, -1)[:, near[seen]] = thing.direction(positions[:, seen], other_time_s)
        target = other.project(points)
        column, row = np.meshgrid(np.arange(view.width), np.arange(view.height))
        there = cv2.remap(
            self._surfaces(other_time_s).astype(np.float32),
            np.nan_to_num(target[..., 0], nan=-1),
            np.nan_to_num(target[..., 1], nan=-1),
            cv2.INTER_NEAREST,
            borderValue=_BACKGROUND - 1,
        )
        inside = np.all((target >= 0) & (target <= (view.width - 1, view.height - 1)), axis=-1)
        displacement = target - np.stack([column, row], axis=-1).astype(np.float32)
        return Flow(displacement, inside & (there == surface))

    def _surfaces(self, time_s: float) -> npt.NDArray[np.int16]:
        """(height, width): the number of the object that fills most of each pixel, or -1 for the background."""
        view = self.path.view_at(time_s)
        rays = view.rays()
        surface = np.full((view.height, view.width), _BACKGROUND, np.int16)
        for number, thing in enumerate(self.objects):
            near, positions = thing.locate(rays, time_s)
            surface.ravel()[near[thing.coverage(positions, view.focal_px) >= 0.5]] = number
        return surface
