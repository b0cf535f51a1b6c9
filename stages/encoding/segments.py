"""Kind ``segments``: a recording that may go on for ever, in files of limited length on a limited part of the disk."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from stages.encoding.atomic import check_folder
from stages.encoding.codecs import CODECS
from stages.encoding.hardware import HardwareEncoding, Picture
from stages.encoding.outage import Outage
from stages.encoding.segmentfile import Segment, free_name
from stages.encoding.segmentkeeper import SegmentKeeper
from stages.encoding.videofile import GUESSED_RATE
from stages.errors import ConfigError, EncodeError
from stages.frame import FusedFrame, StreamInfo
from stages.hardware import Hardware
from stages.stage import FORBID_UNKNOWN_KEYS, Done, Dropped, Stage

_log = logging.getLogger(__name__)

_MB = 1_000_000
_SEGMENTS_IN_LIMIT = 4
"""So many segments fit under the limit at least: deleting one must not delete nearly everything."""
_RETRY_S = 5.0
"""After a failed write."""
_NOT_RECORDED = "not recorded"


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Settings of the recorder."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["segments"] = "segments"
    """Which sink this is."""
    folder: str
    """Folder for the segments, made if missing, and of this recorder alone. Their names say when they begin, in UTC:
    20261122T160012.345Z_000001.mp4."""
    container: Literal["mp4", "mkv"] = "mp4"
    """mp4 (fragmented) or mkv."""
    segment_s: float = 60.0
    """Length of a segment in seconds, by the frames' time stamps."""
    segment_mb: float | None = None
    """A segment that reaches this size, in units of 1,000,000 bytes, ends too; null: only its length counts. One that
    reaches a quarter of max_disk_mb ends in any case."""
    max_disk_mb: float | None = None
    """What all segments in the folder may take, those of earlier runs and the one being written included; the oldest
    are deleted. null: nothing is ever deleted."""
    min_free_mb: float = 500.0
    """While the disk has less than this free, nothing is recorded."""
    codec: Literal["h264", "h265"] = "h264"
    """h264 (always 8 bit) or h265 (keeps 10 bit)."""
    crf: int = 23
    """Quality, 0 to 51; smaller is better and larger."""
    preset: str = "veryfast"
    """Speed of the encoder: ultrafast ... placebo; it must keep up with the camera."""
    hardware: Hardware = "none"
    """auto: on an NVIDIA GPU (NVENC) where that works; none: in software."""

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        codec = CODECS[self.codec]
        if not self.folder:
            raise ValueError("folder must name a folder, got ''")
        if not (math.isfinite(self.segment_s) and self.segment_s >= 1):
            raise ValueError(f"segment_s must be 1 or more, got {self.segment_s:g}")
        for name in ("segment_mb", "max_disk_mb"):
            size = getattr(self, name)
            if size is not None and not (math.isfinite(size) and size > 0):
                raise ValueError(f"{name} must be more than 0, or null, got {size:g}")
        if not (math.isfinite(self.min_free_mb) and self.min_free_mb >= 0):
            raise ValueError(f"min_free_mb must be 0 or more, got {self.min_free_mb:g}")
        if not 0 <= self.crf <= codec.max_crf:
            raise ValueError(f"crf must lie in 0 to {codec.max_crf}, got {self.crf}")
        if self.preset not in codec.presets:
            raise ValueError(f"preset {self.preset!r} is unknown to {codec.title}; use {', '.join(codec.presets)}")


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a recording."""

    folder: str
    segments: int
    """Begun in this run."""
    deleted: int
    """Removed in this run to stay under the limit, those of earlier runs included."""
    held_bytes: int
    """All segments in the folder."""


class SegmentRecorder(Stage[FusedFrame, Done]):
    """Records frames into segments, each playable under its final name at every moment.

    If the power fails, at most the last second of video is lost, or the last frame where they are rarer: nothing is
    held in the encoder, 0.3 s in the container, and a thread of its own sends what was written to the disk ten times a
    second. A segment also ends where the picture changes its size, depth or colour tags, and where time jumps. The
    segments together hold every frame once.

    A live pipeline has viewers, so trouble with the disk does not end it: while the disk is full or fails, frames are
    dropped with a warning once a minute, and recording goes on by itself when the disk does. Only what never worked,
    from the first frame on, is an error.
    """

    Config = SegmentConfig

    def __init__(self, config: SegmentConfig) -> None:
        """``config``: the settings."""
        self._config = config
        self._codec = CODECS[config.codec]
        # The plain preset: its tuning for whole files would hold frames back.
        self._options = self._codec.encoder_options(config.crf, config.preset or self._codec.default_preset)
        self._folder = Path(config.folder).absolute()
        self._info: StreamInfo | None = None
        self._keeper: SegmentKeeper | None = None
        self._segment: Segment | None = None
        self._number = 0
        self._segments = 0
        self._max_bytes: float = math.inf
        self._outage = Outage(_log, self._folder)
        self._failure = ""
        self._retry_s = 0.0
        self._hardware = HardwareEncoding(config.codec, config.crf, config.preset, config.hardware)

    @property
    def recording(self) -> Recording:
        """So far."""
        kept = self._keeper.retention if self._keeper is not None else None
        deleted, held_bytes = (kept.deleted, kept.held_bytes) if kept is not None else (0, 0)
        return Recording(self._config.folder, self._segments, deleted, held_bytes)

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be recorded now; None when all is well. From any thread."""
        if self._keeper is not None and self._keeper.obstacle is not None:
            return self._keeper.obstacle
        return self._failure if time.monotonic() < self._retry_s else None

    def open(self, info: StreamInfo) -> StreamInfo:
        """Make the folder if it is missing, and see what lies there.

        Raises:
            ConfigError: it, or the folder it would be made in, is missing or not writable, or another recorder has it.
        """
        config = self._config
        if not self._folder.exists():
            _make(self._folder)
        check_folder(self._folder)
        max_bytes = None if config.max_disk_mb is None else round(config.max_disk_mb * _MB)
        self._keeper = SegmentKeeper(self._folder, max_bytes=max_bytes, min_free_bytes=round(config.min_free_mb * _MB))
        if config.segment_mb is not None:
            self._max_bytes = config.segment_mb * _MB
        if (limit := self._keeper.retention.limit_bytes) is not None:
            self._max_bytes = min(self._max_bytes, limit / _SEGMENTS_IN_LIMIT)
        self._info = info
        return info

    def process(self, item: FusedFrame) -> Iterable[Done | Dropped]:
        """Record a frame, or drop it while nothing can be recorded.

        Raises:
            EncodeError: not even the first frame can be encoded or written.
        """
        obstacle = self.obstacle
        try:
            if obstacle is None:
                self._record(item)
            else:
                self._end_segment()
        except EncodeError as error:
            if not self._number:
                raise
            self._abandon_segment()
            obstacle = self._failure = str(error)
            self._retry_s = time.monotonic() + _RETRY_S
        if obstacle is not None:
            self._outage.missed(obstacle)
            return [Dropped(item.index, _NOT_RECORDED)]
        self._outage.over()
        return [Done(item.index)]

    def flush(self) -> Iterable[Done | Dropped]:
        """Complete the last segment, and wait until all is on the disk.

        Raises:
            EncodeError: its end cannot be written.
        """
        self._end_segment()
        return ()

    def close(self) -> None:
        """Also without ``flush``, what was recorded is kept."""
        if self._keeper is None:
            return
        try:
            self._end_segment()
        except EncodeError as error:
            _log.warning("%s", error)
            self._abandon_segment()
        self._keeper.close()

    def _record(self, frame: FusedFrame) -> None:
        if self._segment is not None and not self._belongs(self._segment, frame):
            self._end_segment()
        if self._segment is None:
            self._segment = self._begun_segment(frame)
        self._segment.write(frame)

    def _belongs(self, segment: Segment, frame: FusedFrame) -> bool:
        is_full = segment.written_bytes >= self._max_bytes
        return not is_full and segment.continues_with(frame, length_s=self._config.segment_s)

    def _begun_segment(self, first: FusedFrame) -> Segment:
        if self._info is None or self._keeper is None:
            raise RuntimeError("open comes before process")
        planes = first.planes
        depth = self._codec.default_bit_depth or planes.bit_depth
        picture = Picture(planes.width, planes.height, depth, self._info.frame_rate or GUESSED_RATE)
        on_gpu = self._hardware.encoder_for(picture, self._folder.name)
        codec, options = on_gpu or (self._codec, self._options)
        pixel_format = codec.pixel_format(planes.width, planes.height, depth)
        if pixel_format != codec.pixel_formats[depth] and not self._number:
            size = planes.width, planes.height
            _log.warning("%s holds odd sizes (%dx%d) only in 4:4:4, which few players decode", codec.title, *size)
        start_ns = first.captured_ns or time.time_ns()
        path = free_name(self._folder, start_ns, self._number + 1, f".{self._config.container}")
        segment = Segment(path, codec, options, pixel_format, self._info, first, start_ns)
        self._number += 1
        self._segments += 1
        self._keeper.begin(path)
        return segment

    def _end_segment(self) -> None:
        if self._segment is not None:
            self._segment.finish()
            self._let_go(self._segment)

    def _abandon_segment(self) -> None:
        """After an error, keep what the file holds."""
        if self._segment is not None:
            self._segments -= not self._segment.abandon()
            self._let_go(self._segment)

    def _let_go(self, segment: Segment) -> None:
        if self._keeper is not None:
            self._keeper.end(segment.path)
        self._segment = None


def _make(folder: Path) -> None:
    """Make a folder that outlives a power cut."""
    check_folder(folder.parent)
    try:
        folder.mkdir()
        parent = os.open(folder.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # not every file system can do this with a folder
                os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise ConfigError(f"output folder {folder} cannot be made: {error.strerror}; choose another") from error
