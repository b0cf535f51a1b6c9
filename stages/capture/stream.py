"""Frames from a live stream: RTSP, HTTP, HLS, UDP and whatever else FFmpeg reads from the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from stages.capture.connection import Connection
from stages.capture.hardware import HardwareDecoding
from stages.capture.locate import display_name, is_url, locate
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.supervised import SupervisedSource
from stages.hardware import Hardware
from stages.stage import FORBID_UNKNOWN_KEYS

_GRACE_S = 1.0
"""FFmpeg's own time-outs are longer by this than those of the watchdog: they only end the thread that was given up."""

_OPTIONS = {"analyzeduration": "1000000"}
"""FFmpeg's, in microseconds: or a stream that announces sound and sends none would be waited for. No `nobuffer`: it
throws the first key frame away and waits for the next."""
_RTSP_OPTIONS = {"fpsprobesize": "0"}
"""The frame rate is announced; counting frames is what would take most of the time to open."""


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """A live stream from the network; it is opened again whenever it is lost."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["stream"] = "stream"
    """Which source this is."""
    input: str
    """URL of the stream: rtsp://, http://, https://, udp://, ...; a user and password in it are never shown."""
    stream: int | None = None
    """Which of its video streams, counted from 0; null: the one players take."""
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    """How an RTSP server is to send its pictures: tcp loses none, with udp none waits for a lost one before it."""
    hardware: Hardware = "none"
    """auto: decode on an NVIDIA GPU (NVDEC) where that works; none: in software."""
    reconnect: ReconnectConfig = field(default_factory=ReconnectConfig)
    """When it counts as lost, and what then."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not is_url(self.input):
            # Without its scheme it may still be an address with a password in it.
            seen = display_name(f"rtsp://{self.input}").removeprefix("rtsp://")
            raise ValueError(f"input must be a URL such as rtsp://HOST/PATH, got {seen!r}")
        if self.stream is not None and self.stream < 0:
            raise ValueError(f"stream counts from 0, got {self.stream}")


class StreamSource(SupervisedSource):
    """Reads a live stream through FFmpeg, as fresh as it comes."""

    Config = StreamConfig

    def __init__(self, config: StreamConfig) -> None:
        self._config = config
        self._hardware = HardwareDecoding(config.hardware, display_name(config.input))
        super().__init__(self._connection, config.reconnect, name=display_name(config.input))

    def _connection(self) -> Connection:
        config = self._config
        options = dict(_OPTIONS)
        if config.input.lower().startswith(("rtsp://", "rtsps://")):
            options.update(_RTSP_OPTIONS, rtsp_transport=config.rtsp_transport)
        return Connection(
            locate(config.input),
            stream=config.stream,
            open_timeout_s=config.reconnect.open_timeout_s + _GRACE_S,
            read_timeout_s=config.reconnect.stall_s + _GRACE_S,
            options=options,
            hardware=self._hardware,
        )
