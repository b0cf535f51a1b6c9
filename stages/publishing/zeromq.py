"""Kind ``zeromq``: fused frames for any number of subscribers, in the wire format of docs/wire-format.md."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args

import zmq

from stages.errors import ConfigError
from stages.frame import FusedFrame, StreamInfo
from stages.publishing.endpoint import bind, check_address, check_exposure
from stages.publishing.guard import Guard
from stages.publishing.sender import Sender
from stages.publishing.topics import Encoding, make_topics
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage

_log = logging.getLogger(__name__)

_FINISH_S: Final = 2.0
"""How long the last frame may take to be encoded and sent."""
_STOP_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class ZeroMqConfig:
    """Settings of the ZeroMQ publisher."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["zeromq"] = "zeromq"
    """Which publisher this is."""
    address: str = "tcp://127.0.0.1:5555"
    """Where it listens: tcp://HOST:PORT or ipc://PATH; the host 127.0.0.1 is for this machine alone, * for all."""
    encodings: tuple[Encoding, ...] = get_args(Encoding)
    """Encodings on offer: of the fused picture (topics fused/ENCODING) and of the aligned exposures (under/ENCODING,
    over/ENCODING), beside confidence/gray8. A topic costs something only while somebody subscribes to it."""
    jpeg_quality: int = 85
    """1 to 100, larger is better."""
    crf: int = 23
    """Quality of h264 and h265, 0 to 51, smaller is better."""
    keys: str | None = None
    """Folder made by `lumabraid keys new`: subscribers need a key that lies in its `readers`; null = no keys."""
    insecure: bool = False
    """Let other machines subscribe without keys."""

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        check_address(self.address)
        check_exposure(self.address, keys=self.keys, insecure=self.insecure)
        if not self.encodings:
            raise ValueError("encodings must name at least one encoding, got none")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must lie in 1 to 100, got {self.jpeg_quality}")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf must lie in 0 to 51, got {self.crf}")


class ZeroMqPublisher(Stage[FusedFrame, FusedFrame]):
    """Passes frames through, and leaves each to a thread that encodes and sends the newest one.

    The pipeline never waits for a subscriber or an encoder: a frame that comes while the one before it is still
    being encoded takes the place of one that waits.
    """

    Config = ZeroMqConfig

    def __init__(self, config: ZeroMqConfig) -> None:
        """``config``: the settings."""
        self._config = config
        self.address: str | None = None
        """Where it listens once open, with the port that was found for ``:*``."""
        self._published: Mapping[str, int] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._guard: Guard | None = None
        self._sender: Sender | None = None

    @property
    def published(self) -> Mapping[str, int]:
        """Messages so far by topic; from any thread, and after ``close`` too."""
        sender = self._sender
        return self._published if sender is None else sender.published

    def open(self, info: StreamInfo) -> StreamInfo:
        """Begin to listen.

        Raises:
            ConfigError: the address cannot be bound, or the keys cannot be read.
        """
        config = self._config
        self._context = zmq.Context()
        socket = self._context.socket(zmq.XPUB)
        try:
            if config.keys is not None:
                self._guard = Guard(self._context, config.keys)
                self._guard.protect(socket)
            self.address = bind(socket, config.address)
        except ConfigError:
            socket.close(linger=0)
            raise
        offered = [encoding for encoding in config.encodings if encoding != "yuv420p10le" or info.bit_depth == 10]
        topics = make_topics(offered, jpeg_quality=config.jpeg_quality, crf=config.crf)
        self._sender = Sender(socket, topics, info.frame_rate)
        self._sender.start()
        fused = ", ".join(f"fused/{encoding}" for encoding in offered)
        _log.info("publishing at %s: %s; the same of under and over; confidence/gray8", self.address, fused)
        return info

    def process(self, item: FusedFrame) -> Iterable[FusedFrame | Dropped]:
        """Leave the frame to the sender and pass it on.

        Raises:
            EncodeError: an encoder refused an earlier frame.
        """
        if self._sender is None:
            raise RuntimeError("open comes before process")
        self._sender.offer(item)
        yield item

    def flush(self) -> Iterable[FusedFrame | Dropped]:
        """Send the last frame and the news that the stream ended."""
        if self._sender is not None:
            self._sender.finish(_FINISH_S)
        return ()

    def close(self) -> None:
        """Stop listening."""
        if self._sender is not None:
            self._sender.stop(_STOP_S)
            self._published = self._sender.published
        if self._guard is not None:
            self._guard.close()
        if self._context is not None and (self._sender is None or self._sender.has_ended):
            self._context.term()  # an encoder that still computes keeps its socket; the process must not wait for it
        self._sender = self._guard = self._context = None
