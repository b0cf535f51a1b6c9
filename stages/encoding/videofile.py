"""One video file being written: encoder, side streams and container."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from stages.encoding.avframe import FFMPEG_RANGE, FrameMaker
from stages.encoding.codecs import Codec
from stages.encoding.containers import MUXERS, muxer_options
from stages.encoding.mp4layout import Layout
from stages.encoding.outputfile import OutputFile
from stages.encoding.sidestreams import TAG_ERRORS, SideStreams
from stages.errors import EncodeError
from stages.frame import ColorRange, ColorTags, FusedFrame, StreamInfo

_log = logging.getLogger(__name__)

GUESSED_RATE = Fraction(30)
"""Frames per second told to the encoder's rate control when the source does not know its own."""

KEYFRAME_INTERVAL_S = 2
"""Apart from seeking, what MP4 loses at most when the process is killed: it is written by groups of pictures, and a
file without a complete one does not play."""

_WRITE_BYTES = 1 << 20
"""Handed to the system at once; each time waits for the interpreter's lock."""

_LEAST_REORDERED = 3
"""Frames of the shortest video whose frames can be coded in another order than shown: a B-frame has two neighbours."""


class VideoFile:
    """Encodes frames into a file; whoever makes it renames or removes the file afterwards."""

    def __init__(
        self,
        path: Path,
        codec: Codec,
        options: dict[str, str],
        pixel_format: str,
        info: StreamInfo,
        first: FusedFrame,
        sides: SideStreams | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        low_delay: bool = False,
    ) -> None:
        """Create the file and write its header.

        Args:
            path: absolute; its extension chooses the container.
            codec: the codec.
            options: the encoder's.
            pixel_format: FFmpeg's name.
            info: the stream's rate, aspect and rotation.
            first: its size, time base, time stamp and colour tags hold for all; it is not encoded yet.
            sides: what is copied beside the video; stays the caller's to close.
            tags: of the container, beside those of the side streams' source.
            low_delay: hold no frame back in the encoder and only a fraction of a second in the container
                (``Layout.APPENDED``); for H.264 and H.265.

        Raises:
            EncodeError: the encoder refuses, or the file cannot be written.
        """
        self._path = path
        self._sides = sides
        self._tags = dict(tags or {})
        self._low_delay = low_delay
        self._time_base = first.time_base
        self._durations: dict[int, int] = {}
        self._frames_given = 0
        self._frames_muxed = 0
        self._drained = False
        self._last_pts: int | None = None
        # What a frame lasts when the source does not say: as long as the one before it.
        self._last_duration = max(1, round(1 / ((info.frame_rate or GUESSED_RATE) * self._time_base)))
        # MP4 readers leave out what lies before zero, and Matroska cannot hold it.
        self._shift = max(0, -first.pts)
        if self._shift:
            shift_s = float(self._shift * self._time_base)
            _log.warning("%s: the video starts before zero; everything is moved by %.6f s", path.name, shift_s)
        self._color = first.color
        if codec.limited_range_only and first.color.is_full_range:
            _log.warning("%s: %s has no full range; brought to limited range", path.name, codec.title)
            self._color = replace(first.color, range=ColorRange.LIMITED)
        self._frame_maker = FrameMaker(pixel_format, self._color)
        self._size = (first.planes.width, first.planes.height, first.planes.bit_depth)
        picture = f"{first.planes.width}x{first.planes.height} {pixel_format}"
        self._file = OutputFile(path)
        with self._closed_on_error(f"cannot start {codec.title} with {picture}"):
            self._output = self._open_output()
            self._stream = self._add_video(codec, options, pixel_format, info)
            self._output.metadata.update(self._tags)
            if sides is not None:
                sides.attach(self._output, self._stream, shift=self._shift * self._time_base)
            self._output.start_encoding()
            self._header_bytes = self._file.tell()

    def write(self, frame: FusedFrame) -> None:
        """Encode one frame.

        Raises:
            EncodeError: its size or time stamp does not fit, or the file cannot be written.
        """
        planes = frame.planes
        size = (planes.width, planes.height, planes.bit_depth)
        if size != self._size:
            was, now = ("{}x{} {} bit".format(*values) for values in (self._size, size))
            raise EncodeError(f"{self._path.name}: frame {frame.index} is {now}, the video {was}; split it there")
        pts = frame.pts + self._shift
        if self._last_pts is not None and pts <= self._last_pts:
            raise EncodeError(
                f"{self._path.name}: frame {frame.index} has time stamp {frame.pts}, not after the frame before it"
            )
        interval = self._last_duration if self._last_pts is None else pts - self._last_pts
        duration = frame.duration or interval
        self._last_pts, self._last_duration = pts, duration
        self._durations[pts] = duration
        encoded = self._frame_maker.make(planes, frame.color, pts=pts, duration=duration, time_base=self._time_base)
        with self._closed_on_error("cannot encode"):
            self._frames_given += 1
            for packet in self._stream.encode(encoded):
                self._mux(packet)

    def finish(self) -> None:
        """Write what the encoder holds back, the rest of the side streams and the trailer.

        Raises:
            EncodeError: the file cannot be written.
        """
        with self._closed_on_error("cannot encode"):
            for packet in self._drain():
                self._mux(packet)
            if self._sides is not None and self._last_pts is not None:
                last, end = self._last_pts, self._last_pts + self._last_duration
                base = self._time_base
                self._sides.copy_rest(self._output, last_frame_s=last * base, end_s=end * base)
            self._output.close()
            self._file.close()

    def abandon(self, *, drain_s: float) -> str:
        """Unless an error came before, write what the encoder gives within ``drain_s`` seconds, and the trailer.

        Never raises.

        Returns:
            What the file holds, for a message; nothing when it is not worth keeping.
        """
        if self._file.closed:  # after an error; it plays as after a crash
            return "what could be written is" if self.written_bytes > self._header_bytes else ""
        deadline = time.monotonic() + drain_s
        with suppress(av.FFmpegError, OSError, ValueError):
            for packet in self._drain():
                self._mux(packet)
                if time.monotonic() > deadline:
                    break
            if self._frames_muxed:
                self._output.close()
        self._file.give_up()
        return f"{self._frames_muxed} frames are" if self._frames_muxed else ""

    def _open_output(self) -> OutputContainer:
        muxer = MUXERS[self._path.suffix.lower()]
        sides = self._sides
        bases, tags = (sides.time_bases, sides.metadata | self._tags) if sides else ([], self._tags)
        layout = Layout.APPENDED if self._low_delay else Layout.FRAGMENTED
        if sides is not None and muxer in ("mp4", "mov"):
            layout = sides.mp4_layout(muxer)
        options = muxer_options(muxer, self._time_base, bases, tags, layout)
        return av.open(
            self._file,
            "w",
            format=muxer,
            container_options=options,
            metadata_errors=TAG_ERRORS,
            buffer_size=_WRITE_BYTES,
        )

    def _add_video(self, codec: Codec, options: dict[str, str], pixel_format: str, info: StreamInfo) -> VideoStream:
        if codec.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # Otherwise it tells its life on stderr.
        rate = info.frame_rate or GUESSED_RATE
        tune = codec.low_delay_options if self._low_delay else {}
        stream = self._output.add_stream(codec.encoder, rate=rate, options={**options, **tune})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, _ = self._size
        stream.pix_fmt = pixel_format
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.thread_count = 0
        # Slices cost quality, but threads that take a whole frame each hold a frame each.
        context.thread_type = "SLICE" if self._low_delay else "FRAME"
        context.gop_size = 1 if codec.intra_only else max(1, round(KEYFRAME_INTERVAL_S * rate))
        if info.sample_aspect_ratio > 0:
            context.sample_aspect_ratio = info.sample_aspect_ratio
        _tag(stream, self._color)
        if muxer_tag := codec.tag.get(self._output.format.name):
            context.codec_tag = muxer_tag
        if info.rotation_deg:
            stream.set_display_rotation(info.rotation_deg)
        return stream

    def _drain(self) -> Iterator[Packet[VideoStream]]:
        """What the encoder holds back; nothing the second time."""
        if self._drained:
            return
        self._drained = True
        for packet in self._stream.encode_lazy(None):
            # x265 measures its delay when the third frame comes; before, its decoding times are random numbers.
            if self._frames_given < _LEAST_REORDERED:
                packet.dts = packet.pts
            yield packet

    def _mux(self, packet: Packet[VideoStream]) -> None:
        packet.stream = self._stream
        packet.time_base = self._time_base
        # Not every encoder hands the duration on, and the last frame's cannot be told from its neighbours.
        if packet.pts in self._durations:
            packet.duration = self._durations.pop(packet.pts)
        if self._sides is not None and packet.dts is not None:
            self._sides.copy_until(self._output, packet.dts * self._time_base)
        self._output.mux_one(packet)
        self._frames_muxed += 1

    @property
    def written_bytes(self) -> int:
        """Handed to the system so far; 0 when it does not know."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    @contextmanager
    def _closed_on_error(self, what: str) -> Iterator[None]:
        """After an error, see that nothing more is asked of the muxer; ``what``: was to be done."""
        try:
            yield
        except (av.FFmpegError, ValueError) as error:
            self._file.give_up()
            reason = error.strerror if isinstance(error, av.FFmpegError) else error
            raise EncodeError(f"{self._path}: {what}: {reason}") from error
        except OSError as error:
            self._file.give_up()
            raise self._file.error(error) from error
        except BaseException:
            self._file.give_up()
            raise


def _tag(stream: VideoStream, color: ColorTags) -> None:
    stream.codec_context.colorspace = color.matrix
    stream.codec_context.color_range = FFMPEG_RANGE[color.range]
    stream.codec_context.color_primaries = color.primaries
    stream.codec_context.color_trc = color.transfer
