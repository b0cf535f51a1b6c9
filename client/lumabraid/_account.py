"""What became of every message published on a topic."""

from __future__ import annotations

from dataclasses import dataclass

from lumabraid._errors import MessageError
from lumabraid.wire import Header


@dataclass(frozen=True, slots=True)
class Stats:
    """The account of a subscriber, since it was made.

    Over all streams seen: messages published on the topic up to the last one received
    = ``before`` + ``received`` + ``lost``; and ``received`` = ``delivered`` + ``skipped`` + at most a few waiting.
    """

    received: int
    """Pictures that arrived whole."""
    delivered: int
    """Of these, given to the caller."""
    skipped: int
    """Of these, passed over: a newer one came (``latest``), the queue was full (``every``), a key frame was missing."""
    lost: int
    """Pictures published between two that arrived, which did not."""
    before: int
    """Pictures published before the first that arrived, summed over the streams."""
    restarts: int
    """How often the publisher was replaced by a new run."""
    malformed: int
    """Messages that do not follow the wire format; a picture among them counts as lost."""


class Account:
    """Counts the messages of one topic as they arrive; for one thread."""

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0
        self.before = 0
        self.restarts = 0
        self._stream: str | None = None
        self._last_seq = -1

    def add(self, header: Header) -> bool:
        """Count one message; True if it follows the one before it without a gap.

        Raises:
            MessageError: its number is not larger than the one before it.
        """
        if header.stream != self._stream:
            self.restarts += self._stream is not None
            self.before += header.seq
            self._stream = header.stream
            follows = False
        elif header.seq <= self._last_seq:
            raise MessageError(f"message {header.seq} of stream {header.stream!r} came after {self._last_seq}")
        else:
            self.lost += header.seq - self._last_seq - 1
            follows = header.seq == self._last_seq + 1
        self._last_seq = header.seq
        self.received += 1
        return follows
