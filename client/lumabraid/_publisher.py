"""Publisher: the other end of a Subscriber, for tests and for replay."""

from __future__ import annotations

import os
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import zmq
from zmq.auth.thread import ThreadAuthenticator

from lumabraid import keys as key_files
from lumabraid._errors import ClosedError
from lumabraid._frame import Pixels
from lumabraid._layout import plane_sizes, split_payload
from lumabraid._socket import check_address, publisher_socket
from lumabraid.keys import KeyPair
from lumabraid.wire import STATUS_TOPIC, Buffer, Header, Status, encode_header, topic_name

_LINGER_MS = 1000
_POLL_MS = 20


class Publisher:
    """Publishes pictures that are already there: recorded, received from elsewhere, or made by a test.

    It never waits for a reader: what one has no room for is lost to it, and its account says so. Methods may be called
    from any thread.

    Args:
        address: ``tcp://HOST:PORT`` (port ``*`` = any free one) or ``ipc://PATH``.
        stream: names this run; None = a new random name.
        keys: the publisher's ``.key_secret`` file, or the pair itself: only readers with CURVE may come in.
        allowed_keys: the readers' public keys, or a folder of their ``.key`` files; None = any key.

    Raises:
        AddressError: it cannot bind there.
        KeyFileError: a key file is missing or damaged.
        ValueError: ``allowed_keys`` without ``keys``.
    """

    def __init__(
        self,
        address: str,
        *,
        stream: str | None = None,
        keys: str | os.PathLike[str] | KeyPair | None = None,
        allowed_keys: str | os.PathLike[str] | Collection[bytes] | None = None,
    ) -> None:
        if allowed_keys is not None and keys is None:
            raise ValueError("allowed_keys are of use only with keys, the publisher's own pair")
        check_address(address)
        pair = keys if isinstance(keys, KeyPair | None) else key_files.load_key_pair(keys)
        if isinstance(allowed_keys, str | os.PathLike):
            allowed_keys = key_files.load_allowed_keys(allowed_keys)

        self.stream = uuid.uuid4().hex if stream is None else stream
        self._lock = threading.Lock()
        self._subscriptions: set[bytes] = set()
        self._published: Counter[str] = Counter()
        self._statuses = 0
        self._started_ns = time.time_ns()
        context = zmq.Context()
        gate: ThreadAuthenticator | None = None
        try:
            if allowed_keys is not None:
                gate = _gate(context, frozenset(allowed_keys))
            self._socket = publisher_socket(context, address, keys=pair, linger_ms=_LINGER_MS)
        except BaseException:
            if gate is not None:
                gate.stop()
            context.destroy(linger=0)
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """Where it is bound, with the port found for ``*``."""
        self._close = weakref.finalize(self, _close, context, self._socket, gate)

    def has_reader(self, topic: str) -> bool:
        """Whether somebody subscribes to this topic."""
        with self._lock:
            self._take_in_subscriptions()
            return self._is_read(topic)

    def wait_for_reader(self, topic: str, timeout_s: float) -> bool:
        """Wait until somebody subscribes to this topic; False when nobody did in time."""
        deadline_s = time.monotonic() + timeout_s
        while not self.has_reader(topic):
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_MS / 1000)
        return True

    def publish(self, picture: str, header: Header, payload: Sequence[Buffer | Pixels]) -> bool:
        """Publish one picture if somebody subscribes to its topic.

        Args:
            picture: ``fused``, ``under``, ``over`` or ``confidence``.
            header: ``stream``, ``seq`` and ``published_ns`` are filled in here, and so are the ``strides`` of raw
                planes without padding where they are missing.
            payload: all planes in one, one for each plane, or one compressed picture; C-contiguous. Sent without a
                copy: it must not be changed afterwards.

        Returns:
            False if there is no reader, so that nothing was sent and no number used.

        Raises:
            MessageError: header and payload do not belong together.
            ClosedError: the publisher was closed.
        """
        topic = topic_name(picture, header.encoding)
        views = [(part.data if isinstance(part, np.ndarray) else memoryview(part)).cast("B") for part in payload]
        strides = header.strides or tuple(
            size.row_bytes for size in plane_sizes(header.encoding, header.width, header.height)
        )
        split_payload(header.encoding, header.width, header.height, strides, views)
        with self._lock:
            self._take_in_subscriptions()
            if not self._is_read(topic):
                return False
            stamped = msgspec.structs.replace(
                header, stream=self.stream, seq=self._published[topic], strides=strides, published_ns=time.time_ns()
            )
            self._socket.send_multipart([topic.encode(), encode_header(stamped), *views], copy=False)
            self._published[topic] += 1
            return True

    def publish_status(
        self,
        *,
        topics: Collection[str],
        ended: bool = False,
        frame_rate: tuple[int, int] | None = None,
        fused: int = 0,
    ) -> None:
        """Publish a status; a publisher does so every second.

        Args:
            topics: those on offer.
            ended: True in the last one of a stream.
            frame_rate: numerator and denominator.
            fused: frames so far.

        Raises:
            ClosedError: the publisher was closed.
        """
        with self._lock:
            self._take_in_subscriptions()
            status = Status(
                stream=self.stream,
                seq=self._statuses,
                published_ns=time.time_ns(),
                started_ns=self._started_ns,
                ended=ended,
                frame_rate=frame_rate,
                topics={topic: self._published[topic] for topic in topics},
                captured=fused,
                fused=fused,
            )
            self._socket.send_multipart([STATUS_TOPIC.encode(), encode_header(status)])
            self._statuses += 1

    def close(self) -> None:
        """Give what was sent a second to leave, then let go of everything. Never raises, may be repeated."""
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Publisher({self.address!r}, stream={self.stream!r})"

    def _take_in_subscriptions(self) -> None:
        """Note who came and went. ZeroMQ tells of the first reader of a topic and of the last."""
        if not self._close.alive:
            raise ClosedError(f"the publisher on {self.address} is closed")
        while True:
            try:
                event = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if event[:1] == b"\x01":
                self._subscriptions.add(event[1:])
            elif event[:1] == b"\x00":
                self._subscriptions.discard(event[1:])

    def _is_read(self, topic: str) -> bool:
        return any(topic.encode().startswith(prefix) for prefix in self._subscriptions)


class _AllowList:
    """Answers ZeroMQ's question whether a reader's key may come in."""

    def __init__(self, keys: frozenset[bytes]) -> None:
        self._keys = keys

    def callback(self, domain: str, key: bytes) -> bool:
        return key in self._keys


def _gate(context: zmq.Context[zmq.Socket[bytes]], keys: frozenset[bytes]) -> ThreadAuthenticator:
    gate = ThreadAuthenticator(context)
    gate.start()
    gate.configure_curve_callback(credentials_provider=_AllowList(keys))
    return gate


def _close(
    context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], gate: ThreadAuthenticator | None
) -> None:
    socket.close()
    if gate is not None:
        gate.stop()
    context.term()
