"""Kind ``video``: fused frames into a video file, with everything the source had beside its pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from stages.encoding.atomic import PartialFile
from stages.encoding.codecs import CODECS, Codec, CodecName
from stages.encoding.containers import MUXERS
from stages.encoding.hardware import HardwareEncoding, Picture
from stages.encoding.sidestreams import SideStreams, open_side_streams
from stages.encoding.videofile import GUESSED_RATE, VideoFile
from stages.errors import EncodeError
from stages.frame import FusedFrame, StreamInfo
from stages.hardware import Hardware
from stages.stage import FORBID_UNKNOWN_KEYS, Done, Dropped, Stage

_log = logging.getLogger(__name__)

_DRAIN_S = 0.5
"""How long a stream that was given up may keep the process to save what the encoder holds."""


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """Settings of the video encoder."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["video"] = "video"
    """Which sink this is."""
    output: str
    """File to write; its extension chooses the container: .mp4, .m4v, .mov, .mkv or .webm."""
    codec: CodecName = "h264"
    """h264, h265, av1, ffv1 (lossless, .mkv) or prores (.mov, .mkv)."""
    bit_depth: Literal["auto", 8, 10] = "auto"
    """auto: 8 for h264, because few players decode it with 10; 10 for prores; otherwise the source's."""
    crf: int | None = None
    """Quality of h264 and h265 (0-51) and av1 (0-63), smaller is better; null: 18, 20 and 25."""
    preset: str | int | None = None
    """Speed of the encoder (h264, h265: ultrafast ... placebo; av1: 0 ... 12) or profile of prores (proxy, lt,
    standard, hq); null: veryfast, tuned for time and memory, fast, 8 and hq."""
    hardware: Hardware = "none"
    """auto: h264, h265 and av1 on an NVIDIA GPU (NVENC) where that works, with what corresponds to crf and
    preset; none: in software."""
    keep_streams: bool = True
    """Carry over audio, subtitles, chapters, tags and attachments of the source."""
    overwrite: bool = True
    """Replace an existing output when the new one is complete; false refuses to start."""

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        codec = CODECS[self.codec]
        _check_container(self.output, codec)
        if self.bit_depth != "auto" and self.bit_depth not in codec.pixel_formats:
            depths = " or ".join(map(str, codec.pixel_formats))
            raise ValueError(f"bit_depth {self.bit_depth} does not exist in {codec.title}; use {depths}")
        if self.crf is not None and codec.default_crf is None:
            raise ValueError(f"crf {self.crf} means nothing to {codec.title}; leave it out")
        if self.crf is not None and not 0 <= self.crf <= codec.max_crf:
            raise ValueError(f"crf of {codec.title} must lie in 0 to {codec.max_crf}, got {self.crf}")
        if self.preset is not None and str(self.preset) not in codec.presets:
            known = f"use {', '.join(codec.presets)}" if codec.presets else "leave it out"
            raise ValueError(f"preset {self.preset!r} is unknown to {codec.title}; {known}")


class VideoEncoder(Stage[FusedFrame, Done]):
    """Writes a video file: a frame for each frame, with its time stamp.

    The file is NAME.partial.EXT until ``flush`` and plays even if the process is killed. It is made when the
    first frame arrives, so a stream that was refused earlier leaves nothing behind.
    """

    Config = VideoConfig

    def __init__(self, config: VideoConfig) -> None:
        """``config``: the settings."""
        self._config = config
        self._codec = CODECS[config.codec]
        self._hardware = HardwareEncoding(config.codec, config.crf, config.preset, config.hardware)
        self._target = PartialFile(Path(config.output))
        self._info: StreamInfo | None = None
        self._sides: SideStreams | None = None
        self._file: VideoFile | None = None

    def open(self, info: StreamInfo) -> StreamInfo:
        """Check that the output can be written; touches nothing.

        Raises:
            ConfigError: the output is the input, its folder is missing or not writable, or it exists and shall
                not be overwritten.
        """
        self._target.check(overwrite=self._config.overwrite, source=info.container)
        self._info = info
        return info

    def process(self, item: FusedFrame) -> Iterable[Done | Dropped]:
        """Encode a frame.

        Raises:
            EncodeError: the encoder refuses, the size or time stamp does not fit, or the file cannot be written.
        """
        if self._file is None:
            self._file = self._start(item)
        self._file.write(item)
        yield Done(item.index)

    def flush(self) -> Iterable[Done | Dropped]:
        """Complete the file and give it its name.

        Raises:
            EncodeError: the file cannot be written or renamed.
        """
        if self._file is not None:
            self._file.finish()
            self._file = None
            self._target.commit()
        return ()

    def close(self) -> None:
        """Without ``flush`` before it, leave what was encoded under the partial name."""
        if self._file is not None:
            if held := self._file.abandon(drain_s=_DRAIN_S):
                _log.warning("given up; %s in %s", held, self._target.partial)
            else:
                self._target.discard()
            self._file = None
        if self._sides is not None:
            self._sides.close()
            self._sides = None

    def _start(self, first: FusedFrame) -> VideoFile:
        if self._info is None:
            raise RuntimeError("open comes before process")
        codec, config = self._codec, self._config
        planes = first.planes
        depth = codec.default_bit_depth or planes.bit_depth if config.bit_depth == "auto" else config.bit_depth
        picture = Picture(planes.width, planes.height, depth, self._info.frame_rate or GUESSED_RATE)
        on_gpu = self._hardware.encoder_for(picture, self._target.final.name)
        codec, options = on_gpu or (codec, codec.encoder_options(config.crf, config.preset))
        pixel_format = codec.pixel_format(planes.width, planes.height, depth)
        if pixel_format != codec.pixel_formats[depth]:
            _log.warning(
                "%s: %s holds odd sizes (%dx%d) only in 4:4:4, which few players decode; av1 and ffv1 do better",
                *(self._target.final.name, codec.title, planes.width, planes.height),
            )
        source = self._info.container
        if config.keep_streams and source is not None:
            self._sides = open_side_streams(source, self._info.name or Path(source).name, self._info.video_stream)
        try:
            return VideoFile(self._target.partial, codec, options, pixel_format, self._info, first, self._sides)
        except EncodeError:
            self._target.discard()
            raise


def _check_container(output: str, codec: Codec) -> None:
    suffix = Path(output).suffix.lower()
    if suffix not in MUXERS:
        raise ValueError(f"output {output!r} must end in {', '.join(MUXERS)}; got {suffix or 'no extension'}")
    if suffix not in codec.suffixes:
        holders = ", ".join(name for name, other in CODECS.items() if suffix in other.suffixes)
        raise ValueError(
            f"{suffix} does not hold {codec.title}; use {', '.join(codec.suffixes)}, or a codec it does hold: {holders}"
        )
