"""Who reads what, as an XPUB socket tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

import zmq

_AT_ONCE: Final = 1000
"""Subscriptions taken in between two frames: nobody can hold up the stream with more."""


class Readership:
    """The subscriptions of one XPUB socket.

    In its manual mode (XPUB_MANUAL) a subscription takes effect only once it was seen here, so that a reader's first
    message is made in the knowledge of that reader: of a video, a key frame.
    """

    def __init__(self, socket: zmq.Socket[bytes], topics: Collection[str]) -> None:
        """Watch a socket in manual mode; subscriptions to anything but these topics stay without effect."""
        self._socket = socket
        self._topics = topics
        self._readers: Counter[bytes] = Counter()
        """By prefix; ZeroMQ tells of every single one in manual mode."""

    def update(self) -> set[str]:
        """Take in who came and went; returns the topics that have a new reader. Waits for nothing."""
        joined: set[str] = set()
        for _ in range(_AT_ONCE):
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            prefix = message[1:]
            topics = [topic for topic in self._topics if topic.encode().startswith(prefix)]
            if not topics:
                continue
            if message[:1] == b"\1":
                self._socket.setsockopt(zmq.SUBSCRIBE, prefix)
                self._readers[prefix] += 1
                joined.update(topics)
            elif message[:1] == b"\0":
                self._socket.setsockopt(zmq.UNSUBSCRIBE, prefix)
                self._readers[prefix] -= 1
        return joined

    def reads(self, topic: str) -> bool:
        """Whether anybody reads this topic."""
        return any(count > 0 and topic.encode().startswith(prefix) for prefix, count in self._readers.items())
