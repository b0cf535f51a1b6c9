"""Text subtitles in the form a container holds: the words are kept, the packaging changes."""

from __future__ import annotations

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

_TEXT_CODECS = frozenset(("ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"))
_ENCODERS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}


class SubtitleConverter:
    """Turns the packets of one text subtitle stream into those of another."""

    def __init__(self, output: OutputContainer, source: SubtitleStream) -> None:
        """Add the new stream to ``output``.

        Raises:
            ValueError: the subtitles are pictures.
            av.FFmpegError: they are damaged.
        """
        if source.codec_context is None or source.codec_context.name not in _TEXT_CODECS:
            raise ValueError(f"{source.name} is no text")
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        stream = output.add_stream(_ENCODERS[output.format.name])
        assert isinstance(stream, SubtitleStream)
        self.stream = stream
        """The new stream."""
        self._encoder = stream.codec_context
        self._encoder.subtitle_header = self._decoder.subtitle_header
        if source.time_base:
            self._encoder.time_base = source.time_base

    def convert(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """The packet in the new form; None when it shows nothing.

        Raises:
            av.FFmpegError: it is damaged.
        """
        subtitle = self._decoder.decode2(packet)
        if subtitle is None or not len(subtitle):
            return None
        converted: Packet[Stream] = self._encoder.encode_subtitle(subtitle)
        converted.pts, converted.dts, converted.duration = packet.pts, packet.dts, packet.duration
        converted.time_base = packet.time_base
        return converted
