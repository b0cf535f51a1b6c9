"""Memory that ZeroMQ sends from without a copy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import zmq

_SPARE = 4
"""Free buffers kept for the next frames."""


class Buffer:
    """Bytes to fill, and then to send."""

    def __init__(self, size: int) -> None:
        self.pixels: npt.NDArray[np.uint8] = np.empty(size, np.uint8)
        """(size,)."""
        self._sending: zmq.MessageTracker | None = None

    @property
    def is_free(self) -> bool:
        """Whether ZeroMQ is done with it: every subscriber has it, or went away."""
        return self._sending is None or self._sending.done

    def message(self) -> zmq.Frame:
        """The bytes as a part of a message; they must not be written to before ``is_free``."""
        frame = zmq.Frame(self.pixels, track=True, copy=False)
        assert isinstance(frame.tracker, zmq.MessageTracker)
        self._sending = frame.tracker
        return frame


class BufferRing:
    """Buffers of one size, used in turn; none is used again while ZeroMQ still sends from it.

    As many exist as are on their way: the high-water mark bounds them for each subscriber that is stuck.
    """

    def __init__(self) -> None:
        self._buffers: list[Buffer] = []

    def take(self, size: int) -> Buffer:
        """A buffer of this many bytes that nobody reads."""
        free = [buffer for buffer in self._buffers if buffer.is_free and buffer.pixels.size == size]
        taken = free[0] if free else Buffer(size)
        busy = [buffer for buffer in self._buffers if not buffer.is_free]
        self._buffers = [*busy, *free[1:_SPARE], taken]
        return taken
