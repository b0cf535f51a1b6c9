"""A camera made a source: its exposures alternate, follow the light, and can be steered by a person."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any, ClassVar

from stages.bracket import BracketSettings, BracketState
from stages.capture.camera import Camera
from stages.capture.exposure.config import ExposureConfig, check
from stages.capture.exposure.limits import Limits
from stages.capture.exposure.metering import read_meter
from stages.capture.exposure.steering import Steering
from stages.frame import Frame, StreamInfo
from stages.stage import Source

_UNKNOWN_RATE_INTERVAL_US = 1_000_000 / 30
"""Taken for the frame interval of a camera that does not say."""
_MOST_LOST = 4
"""A longer gap in the time stamps is a camera that paused."""


class SharedBracket:
    """A ``BracketControl``: what a source publishes of its bracket, and what others ask of it.

    Both are whole immutable objects put in place by one assignment: readers need no lock.
    """

    def __init__(self, settings: BracketSettings) -> None:
        self._state = BracketState(
            settings=settings, under=None, over=None, settled=False, control_delay_frames=None, note="not open yet"
        )
        self._wanted: BracketSettings | None = None

    @property
    def state(self) -> BracketState:
        """Now; settings just asked for show at once."""
        state, wanted = self._state, self._wanted
        return state if wanted is None else dataclasses.replace(state, settings=wanted)

    def request(self, settings: BracketSettings) -> None:
        """Want something else from the next frames on.

        Raises:
            ValueError: out of range; the message names the limits.
        """
        check(settings)
        self._wanted = settings

    def publish(self, state: BracketState) -> None:
        """Show a state that honours what was ``wanted`` until now."""
        self._state = state

    @property
    def wanted(self) -> BracketSettings | None:
        """What was asked for last; None when nothing ever was."""
        return self._wanted


class BracketedSource(Source):
    """Reads a camera and commands under and over alternately, as its pictures ask for.

    The first second goes by in finding out how the camera follows; these frames are not given out. One that does not
    obey is left alone: its frames pass through as they are. While it is steered, a frame's ``exposure`` is what its
    picture was found to show of the commands, whatever the driver says.
    """

    Config: ClassVar[type[Any]] = ExposureConfig

    def __init__(self, camera: Camera, config: ExposureConfig) -> None:
        self._camera = camera
        self._config = config
        self._control = SharedBracket(config.settings)
        self.bracket = self._control
        self._steering: Steering | None = None
        self._honoured: BracketSettings | None = None
        self._given = 0
        self._interval_s: Fraction | None = None
        self._last_s: Fraction | None = None

    def open(self) -> StreamInfo:
        """Open the camera.

        Raises:
            SourceError: there is no such camera, or it cannot be opened.
        """
        info = self._camera.open()
        limits = self._camera.capabilities
        interval_us = float(1_000_000 / info.frame_rate) if info.frame_rate else _UNKNOWN_RATE_INTERVAL_US
        self._steering = Steering(
            self._config,
            Limits(
                min_time_us=limits.min_time_us,
                max_time_us=min(limits.max_time_us, interval_us),
                min_gain=limits.min_gain,
                max_gain=max(min(limits.max_gain, self._config.max_gain), limits.min_gain),
                mains_hz=self._config.mains_hz,
            ),
        )
        self._honoured = None
        self._given = 0
        self._interval_s = 1 / info.frame_rate if info.frame_rate else None
        self._last_s = None
        self._control.publish(self._steering.state)
        return info

    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            DamagedSourceError: the camera was lost.
        """
        assert self._steering is not None, "open() comes first"
        while True:
            frame = self._step(self._steering)
            if frame is None or self._steering.is_ready:
                break
        if frame is None:
            return None
        self._given += 1
        exposure = self._steering.shown or frame.exposure
        return dataclasses.replace(frame, index=self._given - 1, exposure=exposure)

    def close(self) -> None:
        """Let go of the camera."""
        self._camera.close()

    def _step(self, steering: Steering) -> Frame | None:
        """Command, read, learn."""
        wanted = self._control.wanted
        if wanted is not None and wanted is not self._honoured:
            steering.want(wanted)
            self._honoured = wanted
        exposure = steering.next_exposure()
        if exposure is not None:
            steering.accepted(self._camera.set_exposure(exposure.time_us, exposure.gain))
        frame = self._camera.read()
        if frame is not None:
            steering.see(read_meter(frame.planes, frame.color), lost_frames=self._lost_before(frame))
            self._control.publish(steering.state)
        return frame

    def _lost_before(self, frame: Frame) -> int:
        """Frames missing since the one before, as far as time stamps tell."""
        before, self._last_s = self._last_s, frame.pts * frame.time_base
        if before is None or self._interval_s is None:
            return 0
        return min(max(round((self._last_s - before) / self._interval_s) - 1, 0), _MOST_LOST)
