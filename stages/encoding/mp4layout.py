"""How MP4 and MOV lie on the disk."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum
from fractions import Fraction

import av

_LATE_S = 2
"""An audio stream without a packet for so long from the beginning is late."""

_TIMEOUT_S = 10.0

# Fragments start at keyframes: when one was cut between a frame and its B-frames, and it was the last, the muxer told
# players an end before the last frame.
_FRAGMENTS = ("hybrid_fragmented", "frag_keyframe")


class Layout(Enum):
    """The ways to write; except for ``APPENDED``, the complete file is the same."""

    FRAGMENTED = "fragmented"
    """Plays if the process is killed. Until every track has begun, the muxer keeps everything in memory."""
    HEADER_FIRST = "header first"
    """The same without the wait, for audio that begins late. After a kill, the video comes late by the delay of its
    B-frames, because the header was written before that was known."""
    WHOLE = "whole"
    """Plays only when complete. For subtitles: the muxer guesses how long the last one of a fragment is, gives those
    after it wrong times and, where time would run backwards, aborts the process."""

    APPENDED = "appended"
    """Fragments of a fraction of a second, and what was written is never changed: whatever reached the disk before the
    power failed plays. For a video alone and without B-frames, since the header comes first and fragments begin
    anywhere. The complete file keeps its fragments."""

    @property
    def movflags(self) -> tuple[str, ...]:
        """The muxer's flags."""
        if self is Layout.WHOLE:
            return ()
        if self is Layout.APPENDED:
            return ("empty_moov", "default_base_moof")
        # Frames that the header itself lists are skipped by players until the file is complete: its edit list gives
        # their duration as 0. Either way it lists none.
        return (*_FRAGMENTS, "empty_moov" if self is Layout.HEADER_FIRST else "delay_moov")


def has_late_audio(source: str, audio_streams: Set[int]) -> bool:
    """Whether an audio stream begins more than two seconds after the rest, or never.

    What a container says of a stream's start is often a guess, so the beginning is read.

    Args:
        source: path or URL.
        audio_streams: indices.
    """
    missing = set(audio_streams)
    first_s: Fraction | None = None
    try:
        with av.open(source, "r", timeout=_TIMEOUT_S, metadata_errors="surrogateescape") as container:
            for packet in container.demux():
                stamp = packet.pts if packet.dts is None else packet.dts
                if not packet.size or stamp is None:
                    continue
                missing.discard(packet.stream.index)
                time_s = stamp * packet.time_base
                first_s = time_s if first_s is None else first_s
                if not missing or time_s - first_s > _LATE_S:
                    break
    except av.FFmpegError:
        pass  # Damage is told when the packets are copied.
    return bool(missing)
