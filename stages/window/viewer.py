"""A window in a thread of its own, which shows the newest picture and sees to the keys, frames or none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, Final

import cv2
import numpy as np

from stages.errors import ConfigError
from stages.frame import ColorTags, Planes
from stages.window.picture import bgr8_from_planes

_KEYS_THAT_CLOSE: Final = {27, ord("q")}
_EVENTS_MS: Final = 15
"""How long the toolkit is given for its events between two looks at the newest picture."""
_LARGEST: Final = (1280, 720)
"""Of the window at first; it can be resized."""
_TRIAL_S: Final = 20
_JOIN_S: Final = 2.0

_TRIAL: Final = "import cv2; cv2.namedWindow('lumabraid'); cv2.destroyAllWindows()"
"""Without a display it can reach, the toolkit ends the process it runs in."""


def check_display() -> None:
    """Find out whether a window can be opened, in a process of its own.

    Raises:
        ConfigError: it cannot.
    """
    instead = "use --preview instead and open the page"
    if sys.platform == "darwin":
        raise ConfigError(f"a desktop window needs the main thread on macOS, where the pipeline runs; {instead}")
    if sys.platform != "linux":
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConfigError(f"no window without a display: neither DISPLAY nor WAYLAND_DISPLAY is set; {instead}")
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=_TRIAL_S, check=False
        )
        seen = "" if trial.returncode == 0 else next(iter(trial.stderr.splitlines()), "no reason was given")
    except subprocess.TimeoutExpired:
        seen = "it does not answer"
    if seen:
        raise ConfigError(f"the display cannot be used: {seen.strip()}; {instead}")


class Viewer:
    """Shows pictures until it is closed, by the program or by the person before it."""

    def __init__(self, title: str) -> None:
        """``title``: of the window."""
        self._title = title
        self._changed = threading.Condition()
        self._newest: tuple[Planes, ColorTags, int] | None = None
        self._ending = False
        self._closed_by_hand = False
        self._thread = threading.Thread(target=self._run, name="window", daemon=True)

    @property
    def closed_by_hand(self) -> bool:
        """Whether the person closed the window, or pressed q or Esc in it."""
        return self._closed_by_hand

    def open(self) -> None:
        """Begin; the window appears with the first picture.

        Raises:
            ConfigError: there is no display.
        """
        check_display()
        self._thread.start()

    def show(self, planes: Planes, color: ColorTags, *, rotation_deg: int = 0) -> None:
        """Show this next, and nothing that still waits; from any thread.

        Args:
            planes: the picture.
            color: its tags.
            rotation_deg: what it is turned by, counter-clockwise.
        """
        with self._changed:
            self._newest = planes, color, rotation_deg
            self._changed.notify_all()

    def close(self) -> None:
        """Take the window away."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        """Everything of the toolkit happens here: it wants one thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._ending)
        made = False
        try:
            while not self._ending and not self._closed_by_hand:
                with self._changed:
                    newest, self._newest = self._newest, None
                if newest is not None:
                    picture = _upright(*newest)
                    if not made:
                        self._make(picture.shape[1], picture.shape[0])
                        made = True
                    cv2.imshow(self._title, picture)
                key = cv2.waitKey(_EVENTS_MS)
                visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
                self._closed_by_hand = key in _KEYS_THAT_CLOSE or not visible
        finally:
            if made:
                cv2.destroyAllWindows()
                cv2.waitKey(1)

    def _make(self, width: int, height: int) -> None:
        scale = min(_LARGEST[0] / width, _LARGEST[1] / height, 1.0)
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(self._title, round(width * scale), round(height * scale))


def _upright(planes: Planes, color: ColorTags, rotation_deg: int) -> Any:
    """BGR, turned as a player would."""
    return np.ascontiguousarray(np.rot90(bgr8_from_planes(planes, color), rotation_deg // 90))
