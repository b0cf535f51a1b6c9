"""A control of exposures that outlives the camera behind it."""

from __future__ import annotations

import dataclasses
from threading import Lock

from stages.bracket import BracketControl, BracketSettings, BracketState


class SteadyBracket:
    """The ``BracketControl`` of whichever camera is there; a camera that comes back is told what is wanted."""

    def __init__(self, control: BracketControl) -> None:
        self._lock = Lock()
        self._control = control
        self._wanted: BracketSettings | None = None
        self._is_away = False

    @property
    def state(self) -> BracketState:
        """Now; the last one known while the camera is away."""
        with self._lock:
            control, is_away = self._control, self._is_away
        state = control.state
        return dataclasses.replace(state, settled=False, note="the camera is away") if is_away else state

    def request(self, settings: BracketSettings) -> None:
        """Want something else from the next frames on, also of a camera that comes back.

        Raises:
            ValueError: out of range; the message names the limits.
        """
        with self._lock:
            self._control.request(settings)
            self._wanted = settings

    def lose(self) -> None:
        """The camera is gone."""
        with self._lock:
            self._is_away = True

    def find(self, control: BracketControl) -> None:
        """A camera is there again."""
        with self._lock:
            self._control, self._is_away = control, False
            if self._wanted is not None:
                control.request(self._wanted)
