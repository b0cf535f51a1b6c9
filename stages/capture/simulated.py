"""A camera that looks into a radiance map: frames as from a real one, and the truth behind each on request."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from stages.capture.bracketed import BracketedSource
from stages.capture.camera import CameraCapabilities
from stages.capture.foreground import scatter
from stages.capture.pacing import Pace
from stages.capture.panorama import Panorama
from stages.capture.scene import Flow, Scene
from stages.capture.sensor import MIDDLE_GREY, middle_exposure
from stages.capture.simulated_config import SimulatedConfig
from stages.color import planes_from_bgr
from stages.errors import SourceError
from stages.frame import BT709, Exposure, Frame, StreamInfo
from stages.stage import Source

__all__ = ["SimulatedCamera", "SimulatedConfig", "SimulatedSource", "Truth"]

FloatArray = npt.NDArray[np.float32]

_SHORTEST_US = 0.1
_HIGHEST_GAIN = 16.0
_OVER_SHARE = 0.5
"""Over exposure's share of the frame interval."""
_NOISE, _LOSS = 1, 2
"""Streams of random numbers, so that one draw never moves another."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What was in front of the camera at one instant."""

    under: FloatArray
    """(height, width, 3) gamma-encoded BGR in [0, 1]: the noise-free picture of the short exposure."""
    over: FloatArray
    """The same of the long exposure."""
    radiance: FloatArray
    """(height, width, 3) linear BGR in the map's units."""


class SimulatedCamera:
    """A ``Camera``; its instants are counted from 0 in frame intervals and are the frames' ``pts``.

    ``truth``, ``picture`` and ``flow`` may be asked for any instant, in any order, from any thread, once it is open.
    """

    def __init__(self, config: SimulatedConfig) -> None:
        self._config = config
        self._interval_us = float(1_000_000 / config.rate)
        self._sensor = config.sensor()
        self._scene: Scene | None = None
        self._per_us = 0.0
        self._current = self.bracket[1]
        self._commands: deque[tuple[int, Exposure]] = deque()
        self._instant = 0
        self._pace = Pace()

    @property
    def capabilities(self) -> CameraCapabilities:
        """Exposure time up to the frame interval, gain up to 16."""
        return CameraCapabilities(
            min_time_us=_SHORTEST_US,
            max_time_us=self._interval_us,
            max_gain=_HIGHEST_GAIN,
            control_delay_frames=self._config.control_delay_frames,
            obeys=self._config.obeys,
        )

    @property
    def bracket(self) -> tuple[Exposure, Exposure]:
        """The under and the over exposure that suit the scene, ``stops`` apart."""
        over_us = self._interval_us * _OVER_SHARE
        return Exposure(over_us * 2.0**-self._config.stops), Exposure(over_us)

    def open(self) -> StreamInfo:
        """Load the map and place the objects.

        Raises:
            SourceError: the map cannot be read.
        """
        config = self._config
        path = config.path()
        panorama = Panorama.load(config.map)
        middle = middle_exposure(panorama.render(path.view_at(0)))
        under, over = self.bracket
        # The bracket lies evenly around the middle exposure: their geometric mean exposes like it.
        self._per_us = middle * 2.0**config.bias_stops / math.sqrt(under.time_us * over.time_us)
        objects = scatter(config.objects, path, middle_radiance=MIDDLE_GREY / middle, seed=config.seed)
        self._scene = Scene(panorama, path, objects)
        self._current = Exposure(math.sqrt(under.time_us * over.time_us))
        self._commands.clear()
        self._instant = 0
        return StreamInfo(
            width=config.width,
            height=config.height,
            bit_depth=config.bit_depth,
            time_base=1 / config.rate,
            frame_rate=config.rate,
            color=BT709,
            name=f"simulated camera in {Path(config.map).name}",
        )

    def set_exposure(self, time_us: float, gain: float = 1.0) -> Exposure:
        """Ask for an exposure, honoured ``control_delay_frames`` frames later; clamped to the limits."""
        accepted = self.capabilities.clamp(Exposure(time_us, gain))
        if self._config.obeys:
            self._commands.append((self._instant + self._config.control_delay_frames, accepted))
        return accepted

    def read(self) -> Frame | None:
        """The next frame; the camera films without end, and gives None once interrupted in ``realtime``."""
        config, instant = self._config, self._instant
        self._instant += 1
        while self._commands and self._commands[0][0] <= instant:
            self._current = self._commands.popleft()[1]
        if config.realtime and not self._pace.wait_for(self._time_s(instant)):
            return None
        picture = self.picture(instant, self._current, noisy=True)
        return Frame(
            index=instant,
            planes=planes_from_bgr(picture, BT709, bit_depth=config.bit_depth),
            pts=instant,
            time_base=1 / config.rate,
            duration=1,
            captured_ns=time.time_ns(),
            color=BT709,
            exposure=self._current if config.metadata else None,
        )

    def interrupt(self) -> None:
        """Wait for no frame's time any more; from any thread."""
        self._pace.stop()

    def close(self) -> None:
        """Let go of the map."""
        self._scene = None

    def picture(self, instant: int, exposure: Exposure, *, noisy: bool = False) -> FloatArray:
        """Gamma-encoded BGR (height, width, 3) in [0, 1] of any instant at any exposure."""
        return self._expose(self._open_scene.radiance(self._time_s(instant)), instant, exposure, noisy=noisy)

    def truth(self, instant: int) -> Truth:
        """The noise-free pictures of ``bracket``, however the camera was steered, and the radiance at an instant."""
        radiance = self._open_scene.radiance(self._time_s(instant))
        under, over = (self._expose(radiance, instant, exposure, noisy=False) for exposure in self.bracket)
        return Truth(under, over, radiance)

    def flow(self, instant: int, other: int) -> Flow:
        """Exact motion from the picture at one instant to the picture at another; see ``Flow``."""
        return self._open_scene.flow(self._time_s(instant), self._time_s(other))

    @property
    def _open_scene(self) -> Scene:
        if self._scene is None:
            raise SourceError("the simulated camera is not open; call open() first")
        return self._scene

    def _time_s(self, instant: int) -> float:
        return float(instant / self._config.rate)

    def _expose(self, radiance: FloatArray, instant: int, exposure: Exposure, *, noisy: bool) -> FloatArray:
        rng = _generator(self._config.seed, _NOISE, instant) if noisy and self._config.noise > 0 else None
        light = self._light(self._time_s(instant), exposure.time_us * 1e-6)
        return self._sensor.expose(radiance, exposure.time_us * self._per_us * light, gain=exposure.gain, rng=rng)

    def _light(self, start_s: float, length_s: float) -> float:
        """Mean of 1 + depth * cos(2 pi * 2 mains * t) while the shutter is open, times what was switched before."""
        turn = 4 * math.pi * self._config.mains_hz
        swing = math.sin(turn * (start_s + length_s)) - math.sin(turn * start_s)
        switched = sum(stops for time_s, stops in self._config.light_switches if time_s <= start_s)
        return 2.0**switched * (1 + self._config.flicker_depth * swing / (turn * length_s))


class SimulatedSource(Source):
    """Films with a ``SimulatedCamera``, a short exposure after a long one after a short one.

    A frame's ``pts`` is its instant for ``camera.truth``; ``dropped_frames`` leave gaps in it. With ``exposure`` in
    its settings it is steered like any camera: what is filmed while that is found out how is not given out.
    """

    Config: ClassVar[type[Any]] = SimulatedConfig

    def __init__(self, config: SimulatedConfig) -> None:
        self.camera = SimulatedCamera(config)
        self._config = config
        self._filmed = 0
        self._delivered = 0
        self._steered = BracketedSource(_Link(self.camera, config), config.exposure) if config.exposure else None
        self.bracket = self._steered.bracket if self._steered else None

    def open(self) -> StreamInfo:
        """Open the camera and, with a fixed bracket, wait until it follows.

        Raises:
            SourceError: the map cannot be read.
        """
        if self._steered is not None:
            info = self._steered.open()
        else:
            info = self.camera.open()
            # What a camera films before the first command takes hold has no place in the bracket.
            self._filmed = -self._config.control_delay_frames
            self._delivered = 0
            while self._filmed < 0:
                self._film()
        return dataclasses.replace(info, frame_count=self._config.frame_count)

    def read(self) -> Frame | None:
        """The next frame that arrives; None at the end."""
        if self._steered is not None:
            return self._steered.read()
        count = self._config.frame_count
        while count is None or self._filmed < count:
            frame = self._film()
            if frame is None:
                return None
            if not _is_lost(self._config, frame.pts):
                self._delivered += 1
                return dataclasses.replace(frame, index=self._delivered - 1)
        return None

    def interrupt(self) -> None:
        """Wait for no frame's time any more."""
        self.camera.interrupt()

    def close(self) -> None:
        """Let go of the camera."""
        self.camera.close()

    def _film(self) -> Frame | None:
        """Command the exposure for the frame that will show it, then read the next one."""
        commanded = self._filmed + self._config.control_delay_frames
        under, over = self.camera.bracket
        exposure = under if (commanded % 2 == 0) == (self._config.starts_with == "under") else over
        self.camera.set_exposure(exposure.time_us, exposure.gain)
        self._filmed += 1
        return self.camera.read()


class _Link:
    """A ``Camera`` at the other end of a wire: what is lost on it is never seen, and it ends with the film."""

    def __init__(self, camera: SimulatedCamera, config: SimulatedConfig) -> None:
        self._camera = camera
        self._config = config
        self.set_exposure = camera.set_exposure
        self.open = camera.open
        self.close = camera.close

    @property
    def capabilities(self) -> CameraCapabilities:
        """The camera's."""
        return self._camera.capabilities

    def read(self) -> Frame | None:
        """The next frame that arrives; None when all were filmed, or interrupted."""
        while True:
            frame = self._camera.read()
            if frame is None or (self._config.frame_count is not None and frame.pts >= self._config.frame_count):
                return None
            if not _is_lost(self._config, frame.pts):
                return frame


def _is_lost(config: SimulatedConfig, instant: int) -> bool:
    """Whether a frame is lost on its way from the camera."""
    return bool(_generator(config.seed, _LOSS, instant).random() < config.dropped_frames)


def _generator(seed: int, stream: int, instant: int) -> np.random.Generator:
    """Random numbers of one instant, the same whichever instants were asked for before."""
    return np.random.Generator(np.random.SFC64([seed, stream, instant]))
