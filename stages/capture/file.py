"""Frames from video files and URLs: read as fast as they are wanted, or played."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.capture.hardware import HardwareDecoding
from stages.capture.locate import display_name
from stages.capture.pacing import Pace
from stages.capture.videofile import VideoFile
from stages.frame import Frame, StreamInfo
from stages.hardware import Hardware
from stages.stage import FORBID_UNKNOWN_KEYS, Source


@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """A video file, or the URL of one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["file"] = "file"
    """Which source this is."""
    input: str
    """Path or URL of the video."""
    stream: int | None = None
    """Which video stream, counted from 0 without cover pictures; null: the one players take."""
    open_timeout_s: float = 10.0
    """How long a URL may take to open."""
    read_timeout_s: float = 10.0
    """How long a URL may send nothing."""
    realtime: bool = False
    """Give each frame when its time comes, as a camera would."""
    hardware: Hardware = "none"
    """auto: decode on an NVIDIA GPU (NVDEC) where that works; none: in software."""
    loop: bool = False
    """Begin again at the end, for ever; times go on, and sound is left out."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not self.input:
            raise ValueError("input must name a video file or URL, got an empty text")
        if self.stream is not None and self.stream < 0:
            raise ValueError(f"stream counts from 0, got {self.stream}")
        for name in ("open_timeout_s", "read_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


class FileSource(Source):
    """Reads a video once, or again and again with indices and times that go on."""

    Config = FileConfig

    def __init__(self, config: FileConfig) -> None:
        self._config = config
        self._hardware = HardwareDecoding(config.hardware, display_name(config.input))
        self._video = self._new_video()
        self._pace = Pace()
        self._round_index = self._round_pts = 0
        self._next_index = self._next_pts = self._latest_pts = 0

    def open(self) -> StreamInfo:
        """Open the video.

        Raises:
            SourceError: missing, empty, not a video, without a video stream, or without a picture that decodes.
        """
        info = self._video.open()
        if self._config.loop:
            return dataclasses.replace(info, frame_count=None, container=None, video_stream=None)
        return info

    def read(self) -> Frame | None:
        """The next frame; None at the end.

        Raises:
            DamagedSourceError: the stream is truncated, changes its picture size, or decodes no further.
        """
        frame = self._video.read()
        if frame is None and self._config.loop and self._next_index > self._round_index:
            frame = self._begin_again()
        if frame is None:
            return None
        if self._round_index:
            frame = dataclasses.replace(frame, index=self._round_index + frame.index, pts=self._round_pts + frame.pts)
        step = frame.duration or frame.pts - self._latest_pts
        self._next_index, self._next_pts, self._latest_pts = frame.index + 1, frame.pts + max(step, 1), frame.pts
        if not self._config.realtime:
            return frame
        if not self._pace.wait_for(float(frame.pts * frame.time_base)):
            return None
        return dataclasses.replace(frame, captured_ns=time.time_ns())

    def interrupt(self) -> None:
        """Wait for no frame's time any more."""
        self._pace.stop()

    def close(self) -> None:
        """Close the video."""
        self._video.close()

    def _new_video(self) -> VideoFile:
        return VideoFile(
            self._config.input,
            stream=self._config.stream,
            open_timeout_s=self._config.open_timeout_s,
            read_timeout_s=self._config.read_timeout_s,
            hardware=self._hardware,
        )

    def _begin_again(self) -> Frame | None:
        """The first frame of the next round."""
        self._video.close()
        self._video = self._new_video()
        self._video.open()
        frame = self._video.read()
        self._round_index = self._next_index
        self._round_pts = self._next_pts - (frame.pts if frame else 0)
        return frame
