"""Publishers to read from, and a guard that fails a test which leaves a socket or a thread behind."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import lumabraid
import numpy as np
import numpy.typing as npt
import pytest
import zmq
from lumabraid.wire import encode_header

PATIENCE_S = 10.0
"""Far more than anything here needs, far less than a deadlock takes."""


def destroy(contexts: list[zmq.Context[Any]]) -> None:
    for context in contexts:
        context.destroy(linger=0)


@pytest.fixture(autouse=True)
def no_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every ZeroMQ context made in a test is terminated in it, sockets and threads with it."""
    # pyzmq keeps one context for itself, from the first buffer sent without a copy on.
    zmq.Frame(bytearray(1), copy=False)
    made: list[zmq.Context[Any]] = []

    class WatchedContext(zmq.Context[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    before = set(threading.enumerate())
    monkeypatch.setattr(zmq, "Context", WatchedContext)
    yield
    left = [context for context in made if not context.closed]
    rescue = threading.Thread(target=destroy, args=(left,), daemon=True)
    rescue.start()
    rescue.join(PATIENCE_S)
    assert left == []
    for thread in set(threading.enumerate()) - before - {rescue}:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), thread.name


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[[Callable[[], bool]], None]:
    return wait_until


class Station:
    """A publisher of small pictures whose luma is their index."""

    topic = "fused/yuv420p"

    def __init__(self, address: str = "tcp://127.0.0.1:*", **options: Any) -> None:
        self.publisher = lumabraid.Publisher(address, **options)
        self.address = self.publisher.address
        self.index = 0

    def send(self) -> None:
        """Publish the next picture."""
        luma: npt.NDArray[np.uint8] = np.full((4, 6), self.index % 256, np.uint8)
        chroma: npt.NDArray[np.uint8] = np.full((2, 3), 128, np.uint8)
        header = lumabraid.Header(
            index=self.index, pts=self.index, time_base=(1, 25), encoding="yuv420p", width=6, height=4
        )
        self.publisher.publish("fused", header, [luma, chroma, chroma])
        self.index += 1

    def deliver(self, frames: lumabraid.Subscriber, count: int) -> None:
        """Publish the next pictures one by one, so that this reader receives them all however busy the machine."""
        start = frames.stats.received
        for number in range(1, count + 1):
            self.send()
            wait_until(functools.partial(lambda wanted: frames.stats.received >= wanted, start + number))

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Publish picture after picture meanwhile."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(0.005):
                self.send()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def wait_for_reader(self) -> None:
        assert self.publisher.wait_for_reader(self.topic, PATIENCE_S)

    def close(self) -> None:
        self.publisher.close()


@pytest.fixture
def stations() -> Iterator[Callable[..., Station]]:
    """Makes stations, and closes those that the test did not."""
    made: list[Station] = []

    def make(*arguments: Any, **options: Any) -> Station:
        made.append(Station(*arguments, **options))
        return made[-1]

    yield make
    for station in made:
        station.close()


@pytest.fixture
def station(stations: Callable[..., Station]) -> Station:
    return stations()


class RawPublisher:
    """An XPUB socket that sends any bytes."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.linger = 0
        self._socket.sndhwm = 0
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"

    def wait_for_reader(self) -> None:
        """Both subscriptions of a subscriber: its topic and the status."""
        for _ in range(2):
            assert self._socket.poll(int(PATIENCE_S * 1000))
            self._socket.recv()

    def send(self, *parts: bytes) -> None:
        self._socket.send_multipart(parts)

    def send_picture(
        self, payload: bytes, *, encoding: str, seq: int, stream: str = "a", key_frame: bool = True
    ) -> None:
        header = lumabraid.Header(
            stream=stream,
            seq=seq,
            index=seq,
            pts=seq,
            time_base=(1, 25),
            encoding=encoding,
            width=2,
            height=1,
            strides=(2,) if encoding == "gray8" else (),
            key_frame=key_frame,
        )
        self.send(f"fused/{encoding}".encode(), encode_header(header), payload)

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def raw_publisher() -> Iterator[RawPublisher]:
    publisher = RawPublisher()
    yield publisher
    publisher.close()
