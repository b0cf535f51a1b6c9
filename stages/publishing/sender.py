"""The thread that encodes and sends: it takes the newest frame and never makes anybody wait."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import zmq
from lumabraid.wire import STATUS_TOPIC, Header, Status, encode_header

from stages.frame import FusedFrame
from stages.publishing.material import Material, Workspace
from stages.publishing.readership import Readership
from stages.publishing.topics import Encoded, Topic

_STATUS_INTERVAL_S: Final = 1.0
_PAUSE_S: Final = 0.1
"""Before the stream's last word: a subscriber whose queue is full of pictures would not get it."""
_LINGER_MS: Final = 500
"""How long the last messages of a stream that ended well may take to leave."""


class Sender:
    """Owns the socket from ``start`` on, until its thread ends."""

    def __init__(self, socket: zmq.Socket[bytes], topics: Sequence[Topic], frame_rate: Fraction | None) -> None:
        """Take a bound XPUB socket over.

        Args:
            socket: used by this thread alone from now on, and closed at its end.
            topics: what subscribers may ask for.
            frame_rate: nominal frames per second, for the status.
        """
        self.stream = uuid.uuid4().hex
        """Names this run."""
        self._socket = socket
        self._topics = topics
        self._frame_rate = frame_rate
        self._workspace = Workspace()
        self._readership = Readership(socket, [STATUS_TOPIC, *(topic.name for topic in topics)])
        self._joined: set[str] = set()
        self._published = dict.fromkeys((topic.name for topic in topics), 0)
        self._statuses = 0
        self._started_ns = time.time_ns()
        self._captured = self._taken = self._dropped = 0
        self._changed = threading.Condition()
        self._newest: FusedFrame | None = None
        self._ending = False
        self._given_up = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publishing.sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def offer(self, frame: FusedFrame) -> None:
        """Leave the newest frame to be sent; one that still waits is overtaken. Waits for nothing.

        Raises:
            BaseException: what ended the thread.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            self._newest = frame
            self._changed.notify()

    def finish(self, timeout_s: float) -> None:
        """Send what waits, tell the subscribers that the stream ended, and wait so long for that.

        Raises:
            BaseException: what ended the thread.
        """
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error

    def stop(self, timeout_s: float) -> None:
        """Send nothing more, and wait so long for the thread. Harmless after ``finish``."""
        with self._changed:
            self._given_up = True
            self._changed.notify()
        self._thread.join(timeout_s)

    @property
    def published(self) -> Mapping[str, int]:
        """Messages so far by topic."""
        return dict(self._published)

    @property
    def has_ended(self) -> bool:
        """Whether the thread has ended and the socket is closed."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._send_until_end()
        except BaseException as error:
            with self._changed:
                self._error = error
        finally:
            self._socket.close(linger=0 if self._given_up or self._error else _LINGER_MS)

    def _send_until_end(self) -> None:
        status_due_s = time.monotonic()
        while True:
            frame = self._take(status_due_s)
            if self._given_up:
                return
            joined = self._readership.update()
            self._joined |= joined
            if frame is not None:
                self._publish(frame)
            elif self._is_over():
                break
            if STATUS_TOPIC in joined or time.monotonic() >= status_due_s:
                self._send_status()
                status_due_s = time.monotonic() + _STATUS_INTERVAL_S
        time.sleep(_PAUSE_S)
        self._readership.update()
        self._send_status(ended=True)

    def _take(self, until_s: float) -> FusedFrame | None:
        """The newest frame; None where none comes before that time of the monotonic clock."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._ending or self._given_up,
                timeout=max(until_s - time.monotonic(), 0),
            )
            frame, self._newest = self._newest, None
            return frame

    def _is_over(self) -> bool:
        """Whether nothing is left to be sent, and nothing will come."""
        with self._changed:
            return self._ending and self._newest is None

    def _publish(self, frame: FusedFrame) -> None:
        """Send a frame on every topic someone reads."""
        self._taken += 1
        self._captured = frame.index + 1
        self._dropped = self._captured - self._taken
        material = Material(frame, self._workspace)
        for topic in self._topics:
            if not self._readership.reads(topic.name):
                topic.rest()
                continue
            encoded = topic.encode(material, joined=topic.name in self._joined)
            if encoded is None:
                continue
            self._joined.discard(topic.name)
            header = encode_header(self._header(topic, material, encoded))
            self._socket.send_multipart([topic.name.encode(), header, *encoded.payload], copy=False)
            self._published[topic.name] += 1

    def _header(self, topic: Topic, material: Material, encoded: Encoded) -> Header:
        frame, confidence = material.frame, material.confidence
        width, height = encoded.size
        return Header(
            stream=self.stream,
            seq=self._published[topic.name],
            index=frame.index,
            pts=frame.pts,
            time_base=(frame.time_base.numerator, frame.time_base.denominator),
            captured_ns=frame.captured_ns,
            fused_ns=frame.fused_ns,
            published_ns=time.time_ns(),
            encoding=topic.encoding,
            width=width,
            height=height,
            strides=encoded.strides,
            key_frame=encoded.key_frame,
            color=encoded.color,
            ratio_stops=frame.ratio_stops,
            sources=frame.sources,
            confidence=None if confidence is None else confidence.mean,
            dropped=self._dropped,
        )

    def _send_status(self, *, ended: bool = False) -> None:
        rate = self._frame_rate
        status = Status(
            stream=self.stream,
            seq=self._statuses,
            published_ns=time.time_ns(),
            started_ns=self._started_ns,
            ended=ended,
            frame_rate=None if rate is None else (rate.numerator, rate.denominator),
            topics=self._published,
            captured=self._captured,
            fused=self._taken,
            dropped=self._dropped,
        )
        self._socket.send_multipart([STATUS_TOPIC.encode(), encode_header(status)])
        self._statuses += 1
