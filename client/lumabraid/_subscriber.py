"""Subscriber: the fused stream as an iterator of frames."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Literal, Self

import zmq

from lumabraid import keys as key_files
from lumabraid._account import Stats
from lumabraid._errors import ClosedError, ReceiveTimeoutError
from lumabraid._frame import Frame
from lumabraid._mailbox import Mailbox
from lumabraid._receiver import Receiver
from lumabraid._socket import check_address, subscriber_socket
from lumabraid.keys import KeyPair
from lumabraid.wire import STATUS_TOPIC, Status

Policy = Literal["latest", "every"]


class Subscriber:
    """The pictures of one topic, as they come.

        with lumabraid.Subscriber("tcp://127.0.0.1:5555") as frames:
            for frame in frames:
                ...

    ``async with`` and ``async for`` work as well. A thread of its own receives, so that the newest frame is at hand
    however long the loop takes. When the publisher goes away, the subscriber waits; when it comes back, under whatever
    stream id, it goes on. Methods may be called from any thread.

    Args:
        address: ``tcp://HOST:PORT`` or ``ipc://PATH``.
        topic: ``PICTURE/ENCODING``: ``fused``, ``under``, ``over`` or ``confidence``; ``yuv420p``, ``yuv420p10le``,
            ``bgr8``, ``gray8``, ``jpeg``, ``h264`` or ``h265``, as far as the publisher offers them.
        policy: ``latest`` gives the newest frame and skips what came before it; ``every`` gives all that arrive, in
            order, as long as the loop keeps up. ``stats`` accounts for both.
        queue_frames: with ``every``, frames that may wait for the loop; what comes when it is full is skipped.
        timeout_s: how long to wait for a frame; None = for ever.
        server_key: of a publisher with keys: its ``.key`` file, or the public key itself (bytes).
        keys: this reader's ``.key_secret`` file, or the pair itself; needs ``server_key``. Without it, a pair is made
            up: enough for a publisher that lets any key in.
        stop_at_end: end the iteration when the publisher says that its stream ended, instead of waiting for the next.

    Raises:
        AddressError: the address is of no use.
        KeyFileError: a key file is missing or damaged.
        ValueError: the arguments contradict each other.
    """

    def __init__(
        self,
        address: str,
        *,
        topic: str = "fused/yuv420p",
        policy: Policy = "latest",
        queue_frames: int = 16,
        timeout_s: float | None = None,
        server_key: str | os.PathLike[str] | bytes | None = None,
        keys: str | os.PathLike[str] | KeyPair | None = None,
        stop_at_end: bool = False,
    ) -> None:
        if policy not in ("latest", "every"):
            raise ValueError(f"policy is 'latest' or 'every', got {policy!r}")
        if policy == "latest" and topic.endswith(("/h264", "/h265")):
            raise ValueError(f"pictures of {topic!r} are decoded from those before them: use policy='every'")
        if keys is not None and server_key is None:
            raise ValueError("keys are of use only with server_key, the publisher's public key")
        if queue_frames < 1:
            raise ValueError(f"queue_frames is a whole number from 1 up, got {queue_frames}")
        if timeout_s is not None and not 0 <= timeout_s <= threading.TIMEOUT_MAX:
            raise ValueError(f"timeout_s is a number of seconds from 0 up or None, got {timeout_s}")
        check_address(address)
        pair = keys if isinstance(keys, KeyPair | None) else key_files.load_key_pair(keys)
        if isinstance(server_key, bytes):
            key_files.check_key(server_key)
        elif server_key is not None:
            server_key = key_files.load_public_key(server_key)

        self._address = address
        self._topic = topic
        self._timeout_s = timeout_s
        latest = policy == "latest"
        self._mailbox: Mailbox[Frame] = Mailbox(capacity=1 if latest else queue_frames, replace=latest)
        context = zmq.Context()
        try:
            socket = subscriber_socket(context, address, (topic, STATUS_TOPIC), server_key=server_key, keys=pair)
        except BaseException:
            context.destroy(linger=0)
            raise
        self._receiver = Receiver(context, socket, topic, self._mailbox, stop_at_end=stop_at_end)
        # Also closes a subscriber that was forgotten: when it is collected, or when the interpreter ends.
        self._close = weakref.finalize(self, self._receiver.close)

    @property
    def stats(self) -> Stats:
        """What was received, skipped and lost so far; also after ``close``."""
        return self._receiver.stats

    @property
    def status(self) -> Status | None:
        """The publisher's last status; one comes every second."""
        return self._receiver.status

    def read(self, timeout_s: float | None = None) -> Frame:
        """The next frame.

        Args:
            timeout_s: how long to wait for it; None = as long as the subscriber's own ``timeout_s`` says.

        Raises:
            ReceiveTimeoutError: none came in time; ask again as often as you like.
            SchemaError: the publisher speaks another version of the wire format.
            ClosedError: the subscriber was closed, or the stream ended and ``stop_at_end`` was set.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            frame = self._mailbox.take(timeout_s)
        except TimeoutError:
            raise self._timeout_error(timeout_s) from None
        if frame is None:
            raise self._closed_error()
        return frame

    def close(self) -> None:
        """Stop receiving; loops over this subscriber end. Frames stay valid. Never raises, may be repeated."""
        self._close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        try:
            return self.read()
        except ClosedError:
            raise StopIteration from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        try:
            frame = await self._mailbox.take_async(self._timeout_s)
        except TimeoutError:
            raise self._timeout_error(self._timeout_s) from None
        if frame is None:
            raise StopAsyncIteration
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Subscriber({self._address!r}, topic={self._topic!r})"

    def _closed_error(self) -> ClosedError:
        if not self._close.alive:
            return ClosedError(f"the subscriber to {self._topic} from {self._address} is closed")
        if self.stats.delivered:
            return ClosedError(f"the stream on {self._topic} from {self._address} ended")
        return ClosedError(self._explained(f"no frame on {self._topic} from {self._address} before the stream ended"))

    def _timeout_error(self, timeout_s: float | None) -> ReceiveTimeoutError:
        return ReceiveTimeoutError(
            self._explained(f"no frame on {self._topic} from {self._address} within {timeout_s:g} s")
        )

    def _explained(self, seen: str) -> str:
        """That no frame came, and what came instead."""
        if (error := self._receiver.last_error) is not None:
            return f"{seen}; {self.stats.malformed} messages were unreadable, the last: {error}"
        status = self.status
        if status is None:
            return f"{seen}, and no status either: is the publisher running there, and do the keys on both sides match?"
        if self._topic not in status.topics:
            return f"{seen}: the publisher offers {', '.join(status.topics) or 'no topic'}"
        return f"{seen}: the publisher was there, with {status.fused} frames fused"
