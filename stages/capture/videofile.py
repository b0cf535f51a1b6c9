"""One reading of a video file or URL from its beginning to its end, through FFmpeg."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture.captured import captured, frame_rate_of, time_base_of
from stages.capture.container import choose_video_stream, open_container
from stages.capture.decoder import Decoder
from stages.capture.deinterlace import deinterlaced
from stages.capture.hardware import HardwareDecoding
from stages.capture.locate import Location, is_url, locate
from stages.capture.planes import PlaneReader
from stages.capture.tags import rotation_deg
from stages.capture.truncation import declared_end_s, missing_bytes
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame, StreamInfo

_log = logging.getLogger(__name__)

_CONTAINER_TIME_BASE = Fraction(1, 1_000_000)
"""FFmpeg's AV_TIME_BASE."""

_SILENT_TAIL_S = 1
"""A file may last this much longer than its last picture is known to: Matroska need not say how long it stands."""


class VideoFile:
    """Decodes a video in presentation order, at the stream's own times.

    Pictures are not turned (``StreamInfo.rotation_deg``); interlaced ones are made whole, one for one. Damage inside
    the stream is passed over as players do, and told in a warning at the end; where the stream breaks off, ``read``
    raises after the last whole picture.
    """

    def __init__(
        self,
        text: str,
        *,
        stream: int | None,
        open_timeout_s: float,
        read_timeout_s: float,
        hardware: HardwareDecoding,
    ) -> None:
        """Make ready to open it.

        Args:
            text: path or URL.
            stream: which video stream, as ``FileConfig``.
            open_timeout_s: how long a URL may take to open.
            read_timeout_s: how long a URL may send nothing.
            hardware: the device to decode on, if it is to be tried.
        """
        self._text = self._name = text
        self._stream = stream
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._hardware = hardware
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
        location = locate(self._text)
        self._name = location.name
        container, decoder, pictures, first = self._begin(location)
        can_reopen = location.path is not None or is_url(location.address)
        if self._hardware.check(decoder.stream, has_picture=first is not None) and can_reopen:
            container.close()
            container, decoder, pictures, first = self._begin(location)
        stream = decoder.stream
        self._missing_bytes = missing_bytes(location.path) if location.path else 0
        self._declared_end_s = declared_end_s(container, stream) or Fraction(0)
        if first is None:
            seen = self._damage(decoder)
            raise SourceError(
                f"{location.name} has a video stream, but no picture in it can be decoded"
                + (f": {seen}" if seen else "; check that it plays")
            )
        reader = PlaneReader(first)
        frames = captured(chain([first], pictures), reader, stream, name=location.name)
        # Converted now, so that no decoded picture outlives the call.
        self._frames = chain([next(frames)], frames)
        self._decoder = decoder
        return StreamInfo(
            width=first.width,
            height=first.height,
            bit_depth=reader.bit_depth,
            time_base=time_base_of(stream),
            frame_rate=frame_rate_of(stream),
            frame_count=_frame_count(container, stream),
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

    def _begin(self, location: Location) -> tuple[InputContainer, Decoder, Iterator[VideoFrame], VideoFrame | None]:
        """The opened container, and its pictures with the first of them; None if there is none."""
        container = self._container = open_container(
            location,
            open_timeout_s=self._open_timeout_s,
            read_timeout_s=self._read_timeout_s,
            accelerator=self._hardware.accelerator(),
        )
        decoder = Decoder(container, choose_video_stream(container, self._stream, location.name))
        pictures = deinterlaced(decoder.frames())
        return container, decoder, pictures, next(pictures, None)

    def _damage(self, decoder: Decoder) -> str | None:
        """What is wrong with the end of the stream."""
        if self._missing_bytes:
            return f"the file is truncated, {self._missing_bytes} bytes are missing at its end"
        if decoder.damage is None and self._declared_end_s - self._next_time > _SILENT_TAIL_S:
            return f"the file says that it lasts {float(self._declared_end_s):.3f} s"
        return decoder.damage


def _frame_count(container: InputContainer, stream: VideoStream) -> int | None:
    """What the container says, or what its duration and rate make."""
    if stream.frames:
        return stream.frames
    rate = frame_rate_of(stream)
    if stream.duration:
        seconds = stream.duration * time_base_of(stream)
    elif container.duration:
        seconds = container.duration * _CONTAINER_TIME_BASE
    else:
        return None
    return round(seconds * rate) if rate else None
