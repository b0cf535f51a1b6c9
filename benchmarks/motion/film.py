"""A clip of alternating exposures together with everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.motion.cases import Case, camera_path
from stages.capture.panorama import Panorama
from stages.capture.scene import Flow, Scene
from stages.capture.sensor import MIDDLE_GREY, Sensor, middle_exposure
from stages.color import planes_from_bgr
from stages.frame import BT709, ExposurePair, Frame, Planes

FloatArray = npt.NDArray[np.float32]

WIDTH, HEIGHT = 320, 192
_RATE = Fraction(25)
_SHUTTER_STEPS = 5
"""Instants that stand for the time a shutter is open."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames as a camera gives them, the first one under, and the truth behind them."""

    frames: list[Frame]
    truth: list[tuple[Planes, Planes]]
    """Noise-free under and over of each frame's time."""
    sharp: list[tuple[Planes, Planes]]
    """The same with shutters that are open for an instant; ``truth`` itself where they are."""
    flows: dict[tuple[int, int], Flow]
    """Exact motion from each frame to the ones beside it, by (from, to)."""
    stops: float

    def pair(self, index: int) -> ExposurePair:
        """A frame with its predecessor; the first with its successor."""
        return ExposurePair(
            reference=self.frames[index],
            neighbour=self.frames[index - 1 if index else 1],
            reference_is_under=index % 2 == 0,
            ratio_stops=self.stops,
        )


def film(case: Case, map_file: Path, *, count: int, seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Clip:
    """``count`` frames of a case in front of a map; the seed chooses the view, the objects and the noise.

    ``size`` is (width, height) in pixels.
    """
    width, height = size
    rng = np.random.default_rng([seed, sum(map_file.name.encode())])
    path = camera_path(case, width=width, height=height, yaw_deg=float(rng.uniform(-180, 180)), seed=seed)
    panorama = Panorama.load(str(map_file))
    middle = middle_exposure(panorama.render(path.view_at(0)))
    objects = case.objects(path, MIDDLE_GREY / middle, seed) if case.objects else []
    scene = Scene(panorama, path, objects)
    good = Sensor()
    sensor = Sensor(good.full_well_electrons / case.noise**2, good.read_noise_electrons / case.noise)
    under_exposure, over_exposure = (middle * 2 ** (case.bias_stops + half * case.stops) for half in (-0.5, 0.5))

    frames, truth, sharp = [], [], []
    for index in range(count):
        still = scene.radiance(float(index / _RATE))
        blurred = _blurred(scene, index, case.shutter_share) if case.shutter_share else still
        exact = [sensor.expose(still, under_exposure), sensor.expose(blurred, over_exposure)]
        truth.append((planes_from_bgr(exact[0], BT709), planes_from_bgr(exact[1], BT709)))
        if case.shutter_share:
            sharp.append((truth[-1][0], planes_from_bgr(sensor.expose(still, over_exposure), BT709)))
        jitter = 2 ** (case.jitter_stops * rng.standard_normal())
        seen, exposure = (still, under_exposure) if index % 2 == 0 else (blurred, over_exposure)
        noisy = sensor.expose(seen, exposure * jitter, rng=rng)
        frames.append(Frame(index, planes_from_bgr(noisy, BT709), pts=index, time_base=1 / _RATE, color=BT709))
    beside = [(here, here + step) for here in range(count) for step in (-1, 1) if 0 <= here + step < count]
    flows = {(here, there): scene.flow(float(here / _RATE), float(there / _RATE)) for here, there in beside}
    return Clip(frames, truth, sharp or truth, flows, case.stops)


def _blurred(scene: Scene, index: int, shutter_share: float) -> FloatArray:
    """Mean radiance while a shutter is open around a frame's instant."""
    offsets = (np.arange(_SHUTTER_STEPS) + 0.5) / _SHUTTER_STEPS - 0.5
    instants = [float((index + shutter_share * offset) / _RATE) for offset in offsets]
    return np.asarray(np.mean([scene.radiance(instant) for instant in instants], axis=0), np.float32)
