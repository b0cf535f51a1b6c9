"""Fused frames to publish, and a reader of plain ZeroMQ: bounded waits, and nothing may be left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
import pytest
import zmq
from lumabraid._wire import PictureMessage, Status, decode_message

from stages.frame import BT709, FusedFrame, Planes, StreamInfo
from stages.publishing.zeromq import ZeroMqConfig, ZeroMqPublisher

PATIENCE_S = 20.0
"""Far more than anything here needs, far less than a deadlock takes."""
RATE = Fraction(25)
_indices = count()


def fused(index: int, *, width: int = 64, height: int = 48, bit_depth: int = 8) -> FusedFrame:
    """A gradient that differs from frame to frame."""
    dtype, scale = (np.uint8, 1) if bit_depth == 8 else (np.uint16, 4)
    rows, columns = np.mgrid[:height, :width]
    luma = ((16 + (rows + 2 * columns + 3 * index) % 200) * scale).astype(dtype)
    chroma = np.full((2, -(-height // 2), -(-width // 2)), 128 * scale, dtype)
    chroma[0] += 20 * scale
    return FusedFrame(
        index=index,
        planes=Planes(luma, chroma, bit_depth),
        pts=index * 3600,
        time_base=Fraction(1, 90_000),
        duration=3600,
        color=BT709,
        sources=(index, index + 1),
        ratio_stops=3.0,
        captured_ns=time.time_ns(),
        fused_ns=time.time_ns(),
    )


def info(frame: FusedFrame) -> StreamInfo:
    planes = frame.planes
    return StreamInfo(planes.width, planes.height, planes.bit_depth, frame.time_base, RATE, color=frame.color)


class Reader:
    """A SUB socket and what came out of it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, *topics: str, **options: Any) -> None:
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(address)
        for topic in topics:
            self.socket.subscribe(topic)

    def read(self, patience_s: float = PATIENCE_S) -> PictureMessage | Status | None:
        """The next message; None when none comes."""
        if not self.socket.poll(int(patience_s * 1000)):
            return None
        return decode_message([part.buffer for part in self.socket.recv_multipart(copy=False)])

    def picture(self) -> PictureMessage:
        while not isinstance(message := self.read(), PictureMessage):
            assert message is not None, "no picture came"
        return message

    def status(self) -> Status:
        while not isinstance(message := self.read(), Status):
            assert message is not None, "no status came"
        return message


class Stand:
    """Makes publishers and readers, and puts them away."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._publishers: list[ZeroMqPublisher] = []
        self._readers: list[Reader] = []

    def publisher(self, like: FusedFrame | None = None, **settings: Any) -> ZeroMqPublisher:
        """Open, on a free port unless told otherwise."""
        publisher = ZeroMqPublisher(ZeroMqConfig(**{"address": "tcp://127.0.0.1:*", **settings}))
        self._publishers.append(publisher)
        publisher.open(info(like or fused(0)))
        return publisher

    def reader(self, publisher: ZeroMqPublisher | str, *topics: str, **options: Any) -> Reader:
        address = publisher if isinstance(publisher, str) else publisher.address
        assert address is not None
        reader = Reader(self._context, address, *topics, **options)
        self._readers.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._readers:
            reader.socket.close()
        for publisher in self._publishers:
            publisher.close()
        self._context.term()


def publish_until(
    publisher: ZeroMqPublisher,
    reader: Reader,
    condition: Callable[[PictureMessage], bool] = lambda _: True,
    make: Callable[[int], FusedFrame] = fused,
) -> PictureMessage:
    """Publish frame after frame until the reader has one that is wanted: a subscription takes a moment to arrive."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        list(publisher.process(make(next(_indices))))
        message = reader.read(0.02)
        if isinstance(message, PictureMessage) and condition(message):
            return message
    raise AssertionError("what was waited for never came")


@pytest.fixture
def stand() -> Iterator[Stand]:
    before = set(threading.enumerate())
    stand = Stand()
    yield stand
    stand.close()
    left = {thread for thread in set(threading.enumerate()) - before if "Garbage" not in type(thread).__name__}
    for thread in left:
        thread.join(PATIENCE_S)
    assert not [thread.name for thread in left if thread.is_alive()]
