"""What goes wrong for long is said at once, and then once a minute."""

from __future__ import annotations

import logging
import time

_EVERY_S = 60.0


class Reminder:
    """Warns of something that lasts, but not more than once a minute."""

    def __init__(self, log: logging.Logger) -> None:
        """``log``: where the warnings go."""
        self._log = log
        self._due_s = 0.0

    def remind(self, message: str, *values: object) -> None:
        """Warn, if it is time."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + _EVERY_S
            self._log.warning(message, *values)


class Outage:
    """Counts the frames that are not recorded while the pipeline goes on, and says so."""

    def __init__(self, log: logging.Logger, folder: object) -> None:
        """``folder``: what it is about, for the messages."""
        self._log = log
        self._folder = folder
        self._missed = 0
        self._reminder = Reminder(log)

    def missed(self, reason: str) -> None:
        """A frame was not recorded."""
        self._missed += 1
        self._reminder.remind("%s: NOT RECORDING, %d frames lost so far: %s", self._folder, self._missed, reason)

    def over(self) -> None:
        """A frame was recorded."""
        if self._missed:
            self._log.warning("%s: recording again, %d frames were lost", self._folder, self._missed)
            self._missed = 0
