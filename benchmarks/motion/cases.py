"""What is filmed: one case for each way in which alternating exposures go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stages.capture.foreground import MovingObject, scatter
from stages.capture.motion import CameraPath
from stages.capture.panorama import View

Objects = Callable[[CameraPath, float, int], list[MovingObject]]
"""Objects in front of a map, given the camera's path, the radiance of the scene's middle and a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How a map is filmed."""

    name: str
    stops: float = 3.0
    """Between the exposures."""
    bias_stops: float = 0.0
    """Darkens both exposures when negative."""
    pan_deg_per_s: float = 0.0
    zoom_per_s: float = 1.0
    """The focal length is multiplied by this every second."""
    shake_deg: float = 0.0
    """Root mean square."""
    noise: float = 1.0
    """1 = a good small sensor, 4 = a poor one."""
    jitter_stops: float = 0.0
    """Deviation of each frame's exposure."""
    shutter_share: float = 0.0
    """Of the frame interval, for which the long exposure's shutter is open: what moves is blurred."""
    objects: Objects | None = None


def _crossing(path: CameraPath, middle_radiance: float, seed: int) -> list[MovingObject]:
    """Two things that swing through the picture."""
    return scatter(2, path, middle_radiance=middle_radiance, seed=seed)


def _wheel_and_people(path: CameraPath, middle_radiance: float, seed: int) -> list[MovingObject]:
    """A wheel of thin spokes that turns behind two things as large as people close by."""
    wheel, first, second = scatter(3, path, middle_radiance=middle_radiance, seed=seed)
    return [
        replace(wheel, radius_deg=1.2 * wheel.radius_deg, lobes=16, lobe_depth=0.6),
        replace(first, radius_deg=1.7 * first.radius_deg),
        replace(second, radius_deg=1.7 * second.radius_deg),
    ]


CASES = {
    case.name: case
    for case in (
        Case(name="static"),
        Case(name="pan", pan_deg_per_s=25, shake_deg=0.3, objects=_crossing),
        Case(
            name="fast",
            stops=4.5,
            pan_deg_per_s=70,
            shake_deg=0.3,
            noise=2.0,
            jitter_stops=0.1,
            shutter_share=0.5,
            objects=_crossing,
        ),
        Case(name="zoom", zoom_per_s=1.5, shake_deg=0.1),
        Case(name="thin", pan_deg_per_s=8, shake_deg=0.15, objects=_wheel_and_people),
        Case(name="dark", bias_stops=-2.0, pan_deg_per_s=12, shake_deg=0.2, noise=4.0, objects=_crossing),
    )
}


def camera_path(case: Case, *, width: int, height: int, yaw_deg: float, seed: int) -> CameraPath:
    """The camera's way through a case, looking at first at ``yaw_deg`` of the map."""
    view = View(yaw_deg=yaw_deg, fov_deg=100, width=width, height=height)
    return CameraPath(
        view, pan_deg_per_s=case.pan_deg_per_s, zoom_per_s=case.zoom_per_s, shake_deg=case.shake_deg, seed=seed
    )
