"""Fused frames to publish, and a reader of plain ZeroMQ: bounded waits, and nothing may be left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
import pytest
import zmq
from lumabraid.wire import PictureMessage, Status, decode_message

from stages.frame import BT709, AlignedPair, ExposurePair, Frame, FusedFrame, Planes, StreamInfo
from stages.publishing.zeromq import ZeroMqConfig, ZeroMqPublisher

PATIENCE_S = 20.0
"""Far more than anything here needs, far less than a deadlock takes."""
RATE = Fraction(25)
_indices = count()


def planes(number: int, *, width: int = 64, height: int = 48, bit_depth: int = 8) -> Planes:
    """A gradient that differs from number to number."""
    dtype, scale = (np.uint8, 1) if bit_depth == 8 else (np.uint16, 4)
    rows, columns = np.mgrid[:height, :width]
    luma = ((16 + (rows + 2 * columns + 3 * number) % 200) * scale).astype(dtype)
    chroma = np.full((2, -(-height // 2), -(-width // 2)), 128 * scale, dtype)
    chroma[0] += 20 * scale
    return Planes(luma, chroma, bit_depth)


def fused(index: int, *, width: int = 64, height: int = 48, bit_depth: int = 8) -> FusedFrame:
    """A gradient, and nothing said of what it was fused from."""
    return FusedFrame(
        index=index,
        planes=planes(index, width=width, height=height, bit_depth=bit_depth),
        pts=index * 3600,
        time_base=Fraction(1, 90_000),
        duration=3600,
        color=BT709,
        sources=(index, index + 1),
        ratio_stops=3.0,
        captured_ns=time.time_ns(),
        fused_ns=time.time_ns(),
    )


def fused_from(index: int, *, width: int = 64, height: int = 48, bit_depth: int = 8) -> FusedFrame:
    """The same with two other gradients it was fused from, and a confidence map of half the size."""
    frame = fused(index, width=width, height=height, bit_depth=bit_depth)
    under, over = (planes(index + more, width=width, height=height, bit_depth=bit_depth) for more in (20, 40))
    pair = ExposurePair(
        Frame(index, under, frame.pts, frame.time_base),
        Frame(index + 1, over, frame.pts + 3600, frame.time_base),
        reference_is_under=True,
        ratio_stops=3.0,
    )
    rows, columns = np.mgrid[: -(-height // 2), : -(-width // 2)]
    confidence = (((rows + columns + index) % 9) / 8).astype(np.float32)
    return replace(frame, aligned=AlignedPair(pair, under, over, confidence))


def info(frame: FusedFrame) -> StreamInfo:
    seen = frame.planes
    return StreamInfo(seen.width, seen.height, seen.bit_depth, frame.time_base, RATE, color=frame.color)


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
