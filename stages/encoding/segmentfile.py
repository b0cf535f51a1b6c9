"""One segment of a recording: its name, its file, and which frames belong into it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stages.encoding.codecs import Codec
from stages.encoding.videofile import VideoFile
from stages.errors import EncodeError
from stages.frame import FusedFrame, StreamInfo

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z_\d{6,}\.(mp4|mkv)")

_MAX_STEP = 2**31 - 1
"""Units of the time base from one frame to the next that MP4 can say."""

_LEAST_S = 1
"""What is worth keeping after an error: of less, perhaps not one frame can be read."""


def is_segment(name: str) -> bool:
    """Whether a file has a name as ``free_name`` gives it."""
    return _NAME.fullmatch(name) is not None


def free_name(folder: Path, start_ns: int, number: int, suffix: str) -> Path:
    """A name that no file has: the start in UTC, then a number; names sort by time.

    Args:
        folder: where it shall lie.
        start_ns: wall clock of its first frame.
        number: of the segment; a larger one is taken where the name exists.
        suffix: .mp4 or .mkv.
    """
    start = f"{_utc(start_ns):%Y%m%dT%H%M%S.%f}"[:-3]
    while (path := folder / f"{start}Z_{number:06d}{suffix}").exists():
        number += 1
    return path


class Segment:
    """A video file that plays at every moment, up to a fraction of a second ago.

    Its time stamps start at zero; its tag ``creation_time`` says when that was.
    """

    def __init__(
        self,
        path: Path,
        codec: Codec,
        options: dict[str, str],
        pixel_format: str,
        info: StreamInfo,
        first: FusedFrame,
        start_ns: int,
    ) -> None:
        """Create the file and write its header.

        Args:
            path: absolute, of no existing file.
            codec: H.264 or H.265.
            options: the encoder's.
            pixel_format: FFmpeg's name.
            info: the stream's rate, aspect and rotation.
            first: the frame it begins with; it is not written yet.
            start_ns: wall clock of that frame.

        Raises:
            EncodeError: the encoder refuses, or the file cannot be written.
        """
        self.path = path
        self._kind = _kind(first)
        self._first_pts = self._last_pts = first.pts
        self._time_base = first.time_base
        begin = replace(first, pts=0)
        tags = {"creation_time": f"{_utc(start_ns):%Y-%m-%dT%H:%M:%S.%fZ}"}
        try:
            self._file = VideoFile(path, codec, options, pixel_format, info, begin, tags=tags, low_delay=True)
        except EncodeError:
            self._remove()
            raise

    @property
    def written_bytes(self) -> int:
        """Its size so far."""
        return self._file.written_bytes

    def continues_with(self, frame: FusedFrame, *, length_s: float) -> bool:
        """Whether a frame can follow the last: the same kind of picture, in time, before the segment's end.

        Args:
            frame: what comes next.
            length_s: of a segment, by time stamps; a gap as long as that ends it too.
        """
        if _kind(frame) != self._kind:
            return False
        step = frame.pts - self._last_pts
        return 0 < step <= _MAX_STEP and (frame.pts - self._first_pts) * self._time_base < length_s

    def write(self, frame: FusedFrame) -> None:
        """Encode a frame.

        Raises:
            EncodeError: the file cannot be written.
        """
        self._file.write(replace(frame, pts=frame.pts - self._first_pts))
        self._last_pts = frame.pts

    def finish(self) -> None:
        """Write what is held back and the end.

        Raises:
            EncodeError: the file cannot be written.
        """
        self._file.finish()

    def abandon(self) -> bool:
        """After an error: keep what was written, unless it is hardly anything. Never raises.

        Returns:
            Whether the file was kept.
        """
        lasted_s = (self._last_pts - self._first_pts) * self._time_base
        kept = bool(self._file.abandon(drain_s=0)) and lasted_s >= _LEAST_S
        if not kept:
            self._remove()
        return kept

    def _remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()


def _kind(frame: FusedFrame) -> tuple[object, ...]:
    planes = frame.planes
    return planes.width, planes.height, planes.bit_depth, frame.color, frame.time_base


def _utc(wall_ns: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=wall_ns // 1000)
