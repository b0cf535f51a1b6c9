"""The newest picture: what the pipeline leaves behind, and all that the preview keeps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from stages.preview.picture import PreviewPicture

_RATE_OVER_S: Final = 2.0


class Newest:
    """Written by the pipeline's thread, read by the server's; nobody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: PreviewPicture | None = None
        self._times_s: deque[float] = deque(maxlen=1000)
        self.on_change: Callable[[], None] | None = None
        """Called after each picture, by the thread that brought it; None while nobody looks."""

    def put(self, picture: PreviewPicture) -> None:
        """Take the place of the one before."""
        with self._lock:
            self._picture = picture
            self._times_s.append(time.monotonic())
        on_change = self.on_change
        if on_change is not None:
            on_change()

    @property
    def picture(self) -> PreviewPicture | None:
        """None before the first."""
        return self._picture

    @property
    def age_s(self) -> float | None:
        """Since the last one came; None before the first."""
        with self._lock:
            return time.monotonic() - self._times_s[-1] if self._times_s else None

    @property
    def fps(self) -> float:
        """Pictures a second, over the last two seconds."""
        since_s = time.monotonic() - _RATE_OVER_S
        with self._lock:
            recent = [moment_s for moment_s in self._times_s if moment_s >= since_s]
        if len(recent) < 2 or recent[-1] == recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])
