"""Pass-through of everything in a file that is not its video: audio, subtitles, chapters, tags, attachments."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from stages.encoding.mp4layout import Layout, has_late_audio
from stages.encoding.subtitles import SubtitleConverter

_log = logging.getLogger(__name__)

TAG_ERRORS = "surrogateescape"
"""How tags that are not UTF-8 are read, and must be written, to stay what they are."""

_MUXER_KEYS = frozenset(("major_brand", "minor_version", "compatible_brands", "encoder"))
"""Container tags that describe the file they came in; the muxer writes its own."""

_STATISTICS = ("BPS", "DURATION", "NUMBER_OF_", "SOURCE_ID", "_STATISTICS_", "encoder", "vendor_id")
"""Beginnings of stream tags that describe the old encoding of the video."""

_COVER_NAMES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}

_REPEATABLE_URLS = ("file", "ftp", "http", "https", "sftp")
"""Protocols that may give the same again when opened again; live ones give something later."""

_TIMEOUT_S = 10.0

_GUESSED_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo", "6 channels": "5.1", "8 channels": "7.1"}
"""Matroska does not say which channel is which in PCM, MP4 insists."""


class SideStreams:
    """The side streams of a source, copied packet by packet beside a video that is written anew.

    Time stamps keep their relation to the video's. A stream the output's container cannot hold is left out with
    one warning. At most one packet is in memory.
    """

    def __init__(self, source: str, container: InputContainer, name: str, video_stream: int | None) -> None:
        """Made by ``open_side_streams``."""
        self._source = source
        self._name = name
        self._input = container
        self._video = _video(container, video_stream)
        self._outputs: dict[int, Stream] = {}
        self._converters: dict[int, SubtitleConverter] = {}
        self._shift = Fraction(0)
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._held: Packet[Stream] | None = None
        self._video_seen_s = Fraction(0)
        self._refused = False

    @property
    def time_bases(self) -> list[Fraction]:
        """Of the audio and subtitle streams."""
        streams = (*self._input.streams.audio, *self._input.streams.subtitles)
        return [stream.time_base for stream in streams if stream.time_base]

    @property
    def metadata(self) -> dict[str, str]:
        """The container's tags, without those that describe the old file."""
        tags = self._input.metadata.items()
        # Matroska writes names in capitals, MP4 knows its own only without.
        return {key.lower() if key.isupper() else key: text for key, text in tags if key.lower() not in _MUXER_KEYS}

    def mp4_layout(self, muxer: str) -> Layout:
        """How ``muxer``, mp4 or mov, can write these streams beside a video without keeping them in memory."""
        if self._input.streams.subtitles:
            return Layout.WHOLE
        audio = self._input.streams.audio
        if not audio or not has_late_audio(self._source, {stream.index for stream in audio}):
            return Layout.FRAGMENTED
        # Some codecs can be described only when a packet is there.
        ready = all(_can_hold(muxer, stream, movflags="empty_moov") for stream in audio)
        return Layout.HEADER_FIRST if ready else Layout.WHOLE

    def attach(self, output: OutputContainer, video: VideoStream, *, shift: Fraction) -> None:
        """Add streams, chapters and tags to an output that was not started yet.

        Args:
            output: gets a stream for each one it can hold.
            video: its video stream, which gets the source video's tags and disposition.
            shift: seconds to add to every time stamp.
        """
        self._shift = shift
        output.metadata.update(self.metadata)
        if self._video is not None:
            tags = self._video.metadata.items()
            video.metadata.update({key: text for key, text in tags if not key.startswith(_STATISTICS)})
            video.disposition = self._video.disposition
        for stream in self._input.streams:
            if stream is not self._video and stream.discard is not Discard.all:
                self._add(output, stream)
        self._set_chapters(output)
        copied = [self._input.streams[index] for index in self._outputs]
        if copied and self._video is not None:
            self._video.discard = Discard.all
            copied.append(self._video)
        self._packets = self._input.demux(copied) if copied else iter(())

    def copy_until(self, output: OutputContainer, time_s: Fraction) -> None:
        """Copy the packets that are decoded up to ``time_s``, counted in the output's time."""
        while (packet := self._next()) is not None:
            if _time_s(packet) + self._shift > time_s:
                self._held = packet
                return
            self._mux(output, packet)

    def copy_rest(self, output: OutputContainer, *, last_frame_s: Fraction, end_s: Fraction) -> None:
        """Copy what is left; if the source has video after ``last_frame_s``, only up to ``end_s``."""
        if self._video is not None:
            self._video.discard = Discard.default
        while (packet := self._next()) is not None:
            after = _time_s(packet) + self._shift >= end_s
            if after and self._video_seen_s + self._shift > last_frame_s:
                return
            self._mux(output, packet)

    def close(self) -> None:
        """Let go of the source."""
        self._held = None
        self._packets = iter(())
        self._input.close()

    def _next(self) -> Packet[Stream] | None:
        """The next side packet; video packets on the way tell how far the source's video goes."""
        if self._held is not None:
            packet, self._held = self._held, None
            return packet
        try:
            for packet in self._packets:
                if packet.stream is self._video:
                    if packet.pts is not None and not packet.is_discard:
                        self._video_seen_s = max(self._video_seen_s, packet.pts * packet.time_base)
                elif packet.size:
                    return packet
        except av.FFmpegError as error:
            _log.warning("%s: audio and other streams end early: %s", self._name, error.strerror)
        return None

    def _mux(self, output: OutputContainer, packet: Packet[Stream]) -> None:
        index = packet.stream.index
        if packet.is_discard and _time_s(packet) < 0 and output.format.name in ("matroska", "webm"):
            return  # Nobody hears it, and for its sake the muxer would move the video.
        if units := round(self._shift / packet.time_base):
            packet.pts = None if packet.pts is None else packet.pts + units
            packet.dts = None if packet.dts is None else packet.dts + units
        try:
            copy = self._converters[index].convert(packet) if index in self._converters else packet
            if copy is not None:
                copy.stream = self._outputs[index]
                output.mux_one(copy)
        except (av.ArgumentError, av.InvalidDataError) as error:
            # Damaged; the video goes on without this packet.
            if not self._refused:
                _log.warning("%s: packets of stream %d left out: %s", self._name, index, error.strerror)
            self._refused = True

    def _add(self, output: OutputContainer, stream: Stream) -> None:
        if stream.type == "data" and _codec_name(stream) is None:
            return  # A time code track: the muxer makes a new one from the video's tags.
        muxer = output.format.name
        if stream.type == "video" and not _is_cover(stream):
            self._leave_out(stream, "only one video is fused")
        elif _is_cover(stream) and muxer == "matroska":
            self._attach_cover(output, stream)
        elif _can_hold(muxer, stream):
            copy = _add_copy(output, stream)
            if not isinstance(stream, AttachmentStream):
                self._outputs[stream.index] = copy
        elif not (isinstance(stream, SubtitleStream) and self._add_converted(output, stream)):
            self._leave_out(stream, f"{muxer} cannot hold it")

    def _add_converted(self, output: OutputContainer, stream: SubtitleStream) -> bool:
        try:
            converter = SubtitleConverter(output, stream)
        except (ValueError, av.FFmpegError):
            return False
        _describe(converter.stream, stream)
        self._converters[stream.index] = converter
        self._outputs[stream.index] = converter.stream
        return True

    def _leave_out(self, stream: Stream, why: str) -> None:
        what = f"{stream.type} stream {stream.index} ({_codec_name(stream) or 'unknown codec'})"
        _log.warning("%s: %s is left out: %s", self._name, what, why)

    def _attach_cover(self, output: OutputContainer, stream: Stream) -> None:
        name, mimetype = _COVER_NAMES.get(stream.codec_context.name, ("cover", "application/octet-stream"))
        with av.open(self._source, "r") as container:
            packet = next(container.demux(container.streams[stream.index]))
            output.add_attachment(name, mimetype, bytes(packet))

    def _set_chapters(self, output: OutputContainer) -> None:
        chapters = self._input.chapters()
        for chapter in chapters:
            units = round(self._shift / (chapter["time_base"] or Fraction(1)))
            chapter["start"] += units
            chapter["end"] += units
        output.set_chapters(chapters)


def open_side_streams(source: str, name: str, video_stream: int | None) -> SideStreams | None:
    """Open a source a second time.

    Args:
        source: path or URL.
        name: for messages; a URL may hold a password.
        video_stream: index of the video that is written anew, whose tags are carried over.

    Returns:
        None, after a warning, for what cannot be opened or would not be the same again: a pipe, a live stream.
    """
    path = Path(source)
    is_path = path.exists()
    if path.is_file() if is_path else source.partition("://")[0] in _REPEATABLE_URLS:
        try:
            # A relative path with a colon would be taken for a URL.
            address = str(path.absolute()) if is_path else source
            container = av.open(address, "r", timeout=_TIMEOUT_S, metadata_errors=TAG_ERRORS)
        except (av.FFmpegError, OSError) as error:
            _log.warning("%s: cannot be read again for audio and tags: %s", name, error.strerror)
            return None
        if is_path or container.duration is not None:
            return SideStreams(address, container, name, video_stream)
        container.close()
    _log.warning("%s: gives no second reading, so audio and tags are not carried over", name)
    return None


def _video(container: InputContainer, index: int | None) -> VideoStream | None:
    return next((stream for stream in container.streams.video if stream.index == index), None)


def _time_s(packet: Packet[Stream]) -> Fraction:
    stamp = packet.pts if packet.dts is None else packet.dts
    return (stamp or 0) * packet.time_base


def _codec_name(stream: Stream) -> str | None:
    # A stream that FFmpeg has no codec for lacks the attribute altogether.
    name: str | None = getattr(stream, "name", None)
    return name


def _is_cover(stream: Stream) -> bool:
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def _add_copy(output: OutputContainer, stream: Stream) -> Stream:
    copy = output.add_stream_from_template(stream, opaque=True)
    if isinstance(copy, AudioStream) and copy.codec_context.layout.name in _GUESSED_LAYOUTS:
        copy.codec_context.layout = _GUESSED_LAYOUTS[copy.codec_context.layout.name]
    _describe(copy, stream)
    return copy


def _describe(copy: Stream, stream: Stream) -> None:
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition


def _can_hold(muxer: str, stream: Stream, *, movflags: str = "") -> bool:
    """Whether the muxer takes the stream: it is asked, because its list of codecs is not the whole truth."""
    if stream.type in ("data", "attachment") and muxer != "matroska":
        return False
    try:
        # An empty moov makes MP4 describe PCM in the header, where it finds out what it cannot describe.
        if muxer in ("mp4", "mov") and (stream.name or "").startswith("pcm_"):
            movflags = "empty_moov"
        options = {"movflags": movflags} if movflags else {}
        with av.open(io.BytesIO(), "w", format=muxer, container_options=options) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True
