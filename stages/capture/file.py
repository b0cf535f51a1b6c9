"""Frames from video files and URLs, through FFmpeg."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, ClassVar, Literal

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture.container import choose_video_stream, describe, open_container
from stages.capture.decoder import Decoder
from stages.capture.deinterlace import deinterlaced
from stages.capture.locate import locate
from stages.capture.planes import PlaneReader
from stages.capture.tags import rotation_deg
from stages.capture.timeline import Timeline
from stages.capture.truncation import declared_end_s, missing_bytes
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Source

_log = logging.getLogger(__name__)

_CONTAINER_TIME_BASE = Fraction(1, 1_000_000)
"""FFmpeg's AV_TIME_BASE."""

_SILENT_TAIL_S = 1
"""A file may last this much longer than its last picture is known to: Matroska need not say how long it stands."""


@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """A video file, or the URL of one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["file"] = "file"
    """Which source this is."""
    input: str
    """Path or URL of the video."""
    stream: int | None = None
    """Which video stream, counted from 0 without cover pictures; null: the one players take."""
    open_timeout_s: float = 10.0
    """How long a URL may take to open."""
    read_timeout_s: float = 10.0
    """How long a URL may send nothing."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not self.input:
            raise ValueError("input must name a video file or URL, got an empty text")
        if self.stream is not None and self.stream < 0:
            raise ValueError(f"stream counts from 0, got {self.stream}")
        for name in ("open_timeout_s", "read_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


class FileSource(Source):
    """Decodes a video in presentation order, at the stream's own times.

    Pictures are not turned (``StreamInfo.rotation_deg``); interlaced ones are made whole, one for one. Damage inside
    the stream is passed over as players do, and told in a warning at the end; where the stream breaks off, ``read``
    raises after the last whole picture.
    """

    Config = FileConfig

    def __init__(self, config: FileConfig) -> None:
        self._config = config
        self._name = config.input
        self._missing_bytes = 0
        self._declared_end_s = Fraction(0)
        self._container: InputContainer | None = None
        self._decoder: Decoder | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next_index = 0
        self._next_time = Fraction(0)

    def open(self) -> StreamInfo:
        """Open the container and decode the first picture, which tells what headers leave open.

        Raises:
            SourceError: missing, empty, not a video, without a video stream, or without a picture that decodes.
        """
        location = locate(self._config.input)
        self._name = location.name
        self._container = open_container(
            location, open_timeout_s=self._config.open_timeout_s, read_timeout_s=self._config.read_timeout_s
        )
        stream = choose_video_stream(self._container, self._config.stream, location.name)
        self._missing_bytes = missing_bytes(location.path) if location.path else 0
        self._declared_end_s = declared_end_s(self._container, stream) or Fraction(0)
        decoder = Decoder(self._container, stream)
        pictures = deinterlaced(decoder.frames())
        first = next(pictures, None)
        if first is None:
            seen = self._damage(decoder)
            raise SourceError(
                f"{location.name} has a video stream, but no picture in it can be decoded"
                + (f": {seen}" if seen else "; check that it plays")
            )
        reader = PlaneReader(first)
        frames = self._captured(chain([first], pictures), reader, stream)
        # Converted now, so that no decoded picture outlives the call.
        self._frames = chain([next(frames)], frames)
        self._decoder = decoder
        return StreamInfo(
            width=first.width,
            height=first.height,
            bit_depth=reader.bit_depth,
            time_base=_time_base(stream),
            frame_rate=_frame_rate(stream),
            frame_count=_frame_count(self._container, stream),
            color=reader.color,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            rotation_deg=rotation_deg(first),
            container=location.address,
            video_stream=stream.index,
            name=location.name,
        )

    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            DamagedSourceError: the stream is truncated, changes its picture size, or decodes no further.
        """
        frame = next(self._frames, None)
        if frame is not None:
            self._next_index = frame.index + 1
            self._next_time = (frame.pts + frame.duration) * frame.time_base
            return frame
        damage = self._damage(self._decoder) if self._decoder else None
        if damage:
            raise DamagedSourceError(
                f"{self._name} broke off at frame {self._next_index} ({float(self._next_time):.3f} s): {damage}"
            )
        if self._decoder and (flaws := self._decoder.flaws()):
            _log.warning("%s is damaged, and was decoded as far as possible: %s", self._name, flaws)
        return None

    def close(self) -> None:
        """Close the container and end the decoder's threads."""
        self._frames, self._decoder = iter(()), None
        if self._container is not None:
            self._container.close()
            self._container = None

    def _damage(self, decoder: Decoder) -> str | None:
        """What is wrong with the end of the stream."""
        if self._missing_bytes:
            return f"the file is truncated, {self._missing_bytes} bytes are missing at its end"
        if decoder.damage is None and self._declared_end_s - self._next_time > _SILENT_TAIL_S:
            return f"the file says that it lasts {float(self._declared_end_s):.3f} s"
        return decoder.damage

    def _captured(self, pictures: Iterator[VideoFrame], reader: PlaneReader, stream: VideoStream) -> Iterator[Frame]:
        time_base = _time_base(stream)
        timeline = Timeline(time_base=time_base, frame_rate=_frame_rate(stream), start=stream.start_time or 0)
        for index, picture in enumerate(pictures):
            captured_ns = time.time_ns()
            try:
                planes = reader.read(picture)
            except av.error.FFmpegError as error:
                raise SourceError(
                    f"{self._name}: frame {index} cannot be converted from {picture.format.name} to YUV 4:2:0 "
                    f"({describe(error)}); convert the video to another pixel format"
                ) from None
            yield Frame(
                index=index,
                planes=planes,
                pts=timeline.place(picture.pts),
                time_base=time_base,
                duration=max(picture.duration, 0),
                captured_ns=captured_ns,
                color=reader.color,
            )


def _time_base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 90_000)


def _frame_rate(stream: VideoStream) -> Fraction | None:
    return stream.average_rate or stream.guessed_rate or None


def _frame_count(container: InputContainer, stream: VideoStream) -> int | None:
    """What the container says, or what its duration and rate make."""
    if stream.frames:
        return stream.frames
    rate = _frame_rate(stream)
    if stream.duration:
        seconds = stream.duration * _time_base(stream)
    elif container.duration:
        seconds = container.duration * _CONTAINER_TIME_BASE
    else:
        return None
    return round(seconds * rate) if rate else None
