"""Opens a container and picks the video stream in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from stages.capture.locate import Location
from stages.capture.truncation import missing_bytes
from stages.errors import SourceError

_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""FFmpeg renders text files as video with these."""

_PLAYLISTS = frozenset({".m3u", ".m3u8", ".mpd", ".sdp", ".ffconcat"})
"""Text that leads to a video."""


def open_container(
    location: Location,
    *,
    open_timeout_s: float,
    read_timeout_s: float,
    options: Mapping[str, str] | None = None,
    accelerator: HWAccel | None = None,
) -> InputContainer:
    """The opened container; the time-outs hold for URLs, pipes and devices, ``options`` are FFmpeg's.

    With ``accelerator``, its streams are decoded on that device where they can be.

    Raises:
        SourceError: nothing there, no answer in time, or not a container FFmpeg reads.
    """
    try:
        container = av.open(
            location.address,
            "r",
            options=dict(options or {}),
            metadata_errors="replace",
            timeout=(open_timeout_s, read_timeout_s) if location.path is None else None,
            hwaccel=accelerator,
        )
    except av.error.ExitError:
        raise SourceError(
            f"{location.name}: no answer within {open_timeout_s:g} s; check the address, or raise open_timeout_s"
        ) from None
    except (av.error.FFmpegError, ValueError) as error:
        raise SourceError(f"{location.name} {_why_not(location.path, error)}") from None
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise SourceError(f"{location.name} is text, not a video")
    missing = missing_bytes(location.path) if location.path else 0
    if missing and not any(stream.codec_context for stream in container.streams):
        container.close()
        raise SourceError(f"{location.name} {_truncated(missing)}")
    return container


def choose_video_stream(container: InputContainer, number: int | None, name: str) -> VideoStream:
    """The video stream to read; the others are left unread.

    Args:
        container: as opened.
        number: which video stream, counted from 0 without cover pictures; None for the one players take.
        name: of the container, for messages.

    Raises:
        SourceError: no video stream, not that many, or none that can be decoded.
    """
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
        cover = ["a cover picture"] if container.streams.video else []
        raise SourceError(f"{name} holds no video, only {' and '.join(kinds + cover) or 'an empty container'}")
    if number is None:
        best = container.streams.best("video")
        chosen = best if isinstance(best, VideoStream) and best in streams else streams[0]
    elif number < len(streams):
        chosen = streams[number]
    else:
        sizes = ", ".join(f"{i}: {stream.width}x{stream.height}" for i, stream in enumerate(streams))
        raise SourceError(f"{name} has no video stream {number}; it has {sizes}")
    if chosen.codec_context is None:
        raise SourceError(f"{name}: there is no decoder for its video stream; check that it plays, or convert it")
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    return chosen


def _why_not(path: Path | None, error: Exception) -> str:
    """What is wrong with a file or URL that FFmpeg refused with this error, and what to do."""
    if path is not None and _is_text(path):
        return "is text, not a video"
    missing = missing_bytes(path) if path is not None else 0
    if missing:
        return _truncated(missing)
    if isinstance(error, (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError, ValueError)):
        return "is no video in a format that is known, or its beginning is damaged; check that it plays"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "is an address of a kind that this FFmpeg (the one in PyAV) does not read; check it for typing errors"
    advice = "" if path is not None else "; check the address"
    return f"cannot be opened: {describe(error)}{advice}"


def _truncated(missing: int) -> str:
    return f"is truncated, {missing} bytes at its end are missing, and nothing can be read without; copy it again"


def _is_text(path: Path) -> bool:
    """True if no byte at the beginning is a control character other than white space; playlists pass for videos."""
    if path.suffix.lower() in _PLAYLISTS:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)


def describe(error: Exception) -> str:
    """FFmpeg's own words for an error, without the address, which may hold credentials."""
    words = error.strerror if isinstance(error, av.error.FFmpegError) else None
    return (words or type(error).__name__).splitlines()[0]
