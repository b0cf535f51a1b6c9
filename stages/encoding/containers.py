"""The containers on offer, and how each is written so that a killed process leaves a file that plays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from stages.encoding.mp4layout import Layout

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's muxer by file name extension."""

_MAX_TIMESCALE = 2**31 - 1
_MAX_LOSS_US = 1_000_000
"""How much time may sit in the muxer's memory beside an unfinished group of pictures; lost if the process dies."""
_MAX_APPENDED_LOSS_US = 300_000
"""The same for ``Layout.APPENDED``. Frames leave the muxer when the first one after this time arrives, so that at low
frame rates it is nearly twice as much; the disk takes its time too, and all of it shall stay within a second."""

_MP4_KEYS = frozenset(
    (
        *("title", "artist", "album_artist", "album", "date", "comment", "genre", "copyright", "grouping"),
        *("lyrics", "composer", "description", "synopsis", "show", "episode_id", "network", "keywords"),
        *("creation_time", "language"),
    )
)
"""What MP4's classic tags can name; anything else needs the freely named tags of QuickTime."""


def muxer_options(
    muxer: str,
    time_base: Fraction,
    side_time_bases: Iterable[Fraction],
    metadata_keys: Iterable[str],
    layout: Layout = Layout.FRAGMENTED,
) -> dict[str, str]:
    """FFmpeg's options for a muxer of ``MUXERS``.

    Unless appended, MP4 and MOV become one regular file when complete. Their clocks are set so that the video's time
    stamps and every track's start are exact. Matroska and WebM count milliseconds: time stamps are rounded to the
    nearest.

    Args:
        muxer: a value of ``MUXERS``.
        time_base: of the video.
        side_time_bases: of the other streams.
        metadata_keys: names of the container's tags.
        layout: of MP4 and MOV; to Matroska and WebM it only says how much may be held back.
    """
    appended = layout is Layout.APPENDED
    loss_us = _MAX_APPENDED_LOSS_US if appended else _MAX_LOSS_US
    options = {"flush_packets": "1", "max_interleave_delta": str(_MAX_LOSS_US)}
    if muxer in ("matroska", "webm"):
        return options | {"cluster_time_limit": str(loss_us // 1000)}
    flags = list(layout.movflags)
    if any(key not in _MP4_KEYS for key in metadata_keys):
        flags.append("use_metadata_tags")
    timescale = time_base.denominator
    movie_timescale = math.lcm(timescale, *(base.denominator for base in side_time_bases))
    if flags:
        options["movflags"] = "+".join(flags)
    return options | {
        "frag_duration" if appended else "min_frag_duration": str(loss_us),
        # With fragments the muxer would rather move all time stamps than write an edit list.
        "use_editlist": "1",
        "avoid_negative_ts": "disabled",
        "video_track_timescale": str(timescale),
        "movie_timescale": str(movie_timescale if movie_timescale <= _MAX_TIMESCALE else timescale),
    }
