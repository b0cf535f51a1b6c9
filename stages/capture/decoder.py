"""Decodes a video stream in presentation order and notices where it is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture.container import describe

_MAX_FRUITLESS_PACKETS = 1000
"""Packets in a row that give no picture before the stream is given up: more than a camera sends between key frames."""

_MOST_THREADS: Final = 4
"""They decode 4K faster than anything here fuses it; more of them would hold more pictures."""


class Decoder:
    """The decoded pictures of one stream.

    Damage inside the stream is passed over as players do, and counted: decoding goes on with the next packet. Damage
    from which nothing more decodes ends the stream.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, *, live: bool = False) -> None:
        """Make ready to decode.

        Args:
            container: as opened.
            stream: one of its video streams.
            live: give each picture as soon as it is there, and let it have another size than the one before.
        """
        self.damage: str | None = None
        """What was seen when the stream broke off; None while it is whole."""
        self.stream = stream
        """What is decoded."""
        self._container = container
        self._codec = stream.codec_context
        # Threads by frames are what makes H.264 and HEVC fast; but each of them holds a picture back.
        self._codec.thread_type = "SLICE" if live else "AUTO"
        self._codec.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)
        self._live = live
        self._stopped = False
        self._failed_packets = 0
        self._corrupt_pictures = 0
        self._first_flaw_pts: int | None = None
        self._failed_since_frame = 0
        self._packets_since_frame = 0
        self._latest_packet_pts: int | None = None
        self._latest_frame_pts: int | None = None
        self._latest_frame_is_corrupt: bool | None = None
        if self._codec.is_hwaccel:
            # Each thread by frames would also hold a surface of the GPU, of which there are 32.
            self._codec.thread_type = "SLICE"

    def frames(self) -> Iterator[VideoFrame]:
        """The pictures; after the last, ``damage`` says whether the stream was whole."""
        size: tuple[int, int] | None = None
        for frame in self._decoded():
            if size is not None and size != (frame.width, frame.height) and not self._live:
                self.damage = f"the picture changes from {size[0]}x{size[1]} to {frame.width}x{frame.height}"
                return
            size = (frame.width, frame.height)
            yield frame

    def stop(self) -> None:
        """End before the next packet; from any thread."""
        self._stopped = True

    def flaws(self) -> str | None:
        """The damage passed over so far, for messages; None if there was none."""
        counts = (
            ("packets that cannot be decoded", self._failed_packets),
            ("pictures with traces of damage", self._corrupt_pictures),
        )
        seen = [f"{what}: {count}" for what, count in counts if count]
        if seen and self._first_flaw_pts is not None and self.stream.time_base:
            seen.append(f"the first near {float(self._first_flaw_pts * self.stream.time_base):.3f} s")
        return ", ".join(seen) or None

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            yield from self._decode(packet)
            if self._packets_since_frame > _MAX_FRUITLESS_PACKETS:
                self.damage = f"nothing decodes in {_MAX_FRUITLESS_PACKETS} packets"
                break
        yield from self._decode(None)
        self.damage = self.damage or self._damage_at_end()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets with data in them; an empty one would tell the decoder that the stream ends.

        One marked damaged is held back until another follows: the last of a truncated file holds part of a picture.
        """
        held: Packet[VideoStream] | None = None
        try:
            for packet in self._container.demux(self.stream):
                if self._stopped:
                    return
                if packet.size == 0:
                    continue
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield packet
        except av.error.ExitError:
            self.damage = "no data came within read_timeout_s"
        except av.error.FFmpegError as error:
            self.damage = f"reading failed ({describe(error)})"
        else:
            if held is not None:
                self.damage = "the next picture is cut off"

    def _decode(self, packet: Packet[VideoStream] | None) -> Iterator[VideoFrame]:
        """Pictures ready after this packet; all that are left for None."""
        if packet is not None and packet.pts is not None and not packet.is_discard:
            self._latest_packet_pts = max(packet.pts, self._latest_packet_pts or packet.pts)
        self._packets_since_frame += 1
        try:
            frames = self._codec.decode(packet)
        except av.error.FFmpegError:
            self._failed_packets += 1
            self._failed_since_frame += 1
            self._note_flaw(packet.pts if packet is not None else self._latest_packet_pts)
            return
        for frame in frames:
            self._failed_since_frame = self._packets_since_frame = 0
            self._latest_frame_pts = frame.pts
            self._latest_frame_is_corrupt = frame.is_corrupt
            if frame.is_corrupt:
                self._corrupt_pictures += 1
                self._note_flaw(frame.pts)
            yield frame

    def _note_flaw(self, pts: int | None) -> None:
        if self._first_flaw_pts is None:
            self._first_flaw_pts = pts

    def _damage_at_end(self) -> str | None:
        if self._latest_frame_is_corrupt is None:
            return None
        if self._failed_since_frame or self._ends_before_its_packets():
            return "what follows cannot be decoded"
        return "the last picture is damaged" if self._latest_frame_is_corrupt else None

    def _ends_before_its_packets(self) -> bool:
        """True if pictures are missing at the end: an error while the decoder empties itself is not always raised."""
        rate, time_base = self.stream.average_rate, self.stream.time_base
        if self._latest_packet_pts is None or self._latest_frame_pts is None or not rate or not time_base:
            return False
        # Less than a frame, as the two fields of one picture may come in packets of their own.
        return self._latest_packet_pts - self._latest_frame_pts > Fraction(3, 4) / (rate * time_base)
