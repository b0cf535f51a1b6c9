"""One connection to a live stream, from its opening to its end or loss."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain

import av
from av.container import InputContainer

from stages.capture.captured import captured, frame_rate_of, time_base_of
from stages.capture.container import choose_video_stream, describe, open_container
from stages.capture.decoder import Decoder
from stages.capture.deinterlace import deinterlaced
from stages.capture.hardware import HardwareDecoding
from stages.capture.locate import Location
from stages.capture.pacing import Pace
from stages.capture.planes import PlaneReader
from stages.capture.tags import rotation_deg
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame, StreamInfo
from stages.stage import Source

_FETCHED_IN_PIECES = frozenset({"hls", "dash"})
_WITHOUT_TIMES = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
"""Formats that are pictures one after another: FFmpeg counts them as if they were 25 in a second."""
_CLOCK_TIME_BASE = Fraction(1, 1_000_000)


class Connection(Source):
    """Frames as they come; of what is fetched faster than it is shown (HLS, DASH, files), at its own pace.

    All of it is used in one thread, except ``interrupt``. The picture may change its size.
    """

    def __init__(
        self,
        location: Location,
        *,
        stream: int | None,
        open_timeout_s: float,
        read_timeout_s: float,
        options: Mapping[str, str],
        hardware: HardwareDecoding,
    ) -> None:
        """Make ready to connect.

        Args:
            location: where to.
            stream: which video stream, counted from 0; None for the one players take.
            open_timeout_s: how long an answer may take.
            read_timeout_s: how long nothing may come.
            options: FFmpeg's, for its demuxer and protocol.
            hardware: the device to decode on, if it is to be tried.
        """
        self._location = location
        self._stream_number = stream
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._options = options
        self._hardware = hardware
        self._container: InputContainer | None = None
        self._decoder: Decoder | None = None
        self._frames: Iterator[Frame] = iter(())
        self._pace = Pace()
        self._is_paced = self._is_timed_by_clock = False
        self._interrupted = False

    def open(self) -> StreamInfo:
        """Connect and decode the first picture.

        Raises:
            SourceError: no answer, nothing there, no video in it, or none that decodes.
        """
        name = self._location.name
        self._container = open_container(
            self._location,
            open_timeout_s=self._open_timeout_s,
            read_timeout_s=self._read_timeout_s,
            options=self._options,
            accelerator=self._hardware.accelerator(),
        )
        formats = set(self._container.format.name.split(","))
        self._is_timed_by_clock = bool(formats & _WITHOUT_TIMES)
        self._is_paced = bool(formats & _FETCHED_IN_PIECES) or self._container.duration is not None
        stream = choose_video_stream(self._container, self._stream_number, name)
        self._decoder = Decoder(self._container, stream, live=True)
        if self._interrupted:
            self._decoder.stop()
        pictures = deinterlaced(self._decoder.frames())
        with _told_without_address(name):
            first = next(pictures, None)
        if first is None:
            seen = f": {self._decoder.damage}" if self._decoder.damage else "; check that it plays"
            raise SourceError(f"{name}: no picture could be decoded{seen}")
        # Where the device refuses the stream, this decoder goes on in software, as fast as any other for live use.
        self._hardware.check(stream, has_picture=True)
        reader = PlaneReader(first)
        frames = captured(chain([first], pictures), reader, stream, name=name)
        # Converted now, so that no decoded picture outlives the call.
        self._frames = chain([next(frames)], frames)
        return StreamInfo(
            width=first.width,
            height=first.height,
            bit_depth=reader.bit_depth,
            time_base=_CLOCK_TIME_BASE if self._is_timed_by_clock else time_base_of(stream),
            frame_rate=None if self._is_timed_by_clock else frame_rate_of(stream),
            color=reader.color,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            rotation_deg=rotation_deg(first),
            name=name,
        )

    def read(self) -> Frame | None:
        """The next frame; None when the stream ended or was interrupted.

        Raises:
            DamagedSourceError: the connection was lost.
        """
        with _told_without_address(self._location.name):
            frame = next(self._frames, None)
        if frame is None:
            damage = self._decoder.damage if self._decoder and not self._interrupted else None
            if damage:
                raise DamagedSourceError(f"{self._location.name}: {damage}")
            return None
        if self._is_timed_by_clock:
            now_us = time.monotonic_ns() // 1000
            return dataclasses.replace(frame, pts=now_us, time_base=_CLOCK_TIME_BASE, duration=0)
        if self._is_paced and not self._pace.wait_for(float(frame.pts * frame.time_base)):
            return None
        return frame

    def interrupt(self) -> None:
        """Let ``open`` and ``read`` end at the next packet; what is waited for in FFmpeg ends by its time-out."""
        self._interrupted = True
        self._pace.stop()
        if self._decoder is not None:
            self._decoder.stop()

    def close(self) -> None:
        """Disconnect and end the decoder's threads."""
        self._frames, self._decoder = iter(()), None
        if self._container is not None:
            self._container.close()
            self._container = None


@contextmanager
def _told_without_address(name: str) -> Iterator[None]:
    """Errors of FFmpeg that nobody foresaw; their own text may hold the address, and with it a password."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise DamagedSourceError(f"{name}: reading failed ({describe(error)})") from None
