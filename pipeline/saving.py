"""Received frames into a video file."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Self

import lumabraid

from pipeline.config import validate_section
from pipeline.received import color_tags, raw_planes
from stages.encoding.video import VideoEncoder
from stages.frame import FusedFrame, StreamInfo

_log = logging.getLogger("stages.subscription")


class Saving:
    """Writes one stream to one file, which is begun with the first frame and complete at the end of the block."""

    def __init__(self, output: str) -> None:
        """``output``: the file.

        Raises:
            ConfigError: no container has this name's extension.
        """
        self._encoder = VideoEncoder(validate_section("encoding", {"kind": "video", "output": output}))
        self._output = output
        self._stream: str | None = None
        self._size: tuple[int, int, int] | None = None

    def write(self, frame: lumabraid.Frame, status: lumabraid.Status | None) -> bool:
        """Append a frame; False when it is of another stream or size than the first, which ends the file.

        Raises:
            ConfigError: the output cannot be written there.
            EncodeError: the encoder refuses.
        """
        fused = _fused(frame)
        planes = fused.planes
        size = planes.width, planes.height, planes.bit_depth
        if self._stream is None:
            self._encoder.open(_info(fused, status))
            self._stream, self._size = frame.header.stream, size
        if frame.header.stream != self._stream:
            _log.warning("the publisher was restarted: %s ends here", self._output)
            return False
        if size != self._size:
            _log.warning("the pictures are %dx%d, %d bit from here on: %s ends here", *size, self._output)
            return False
        for _ in self._encoder.process(fused):
            pass
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Complete the file; after an error, leave what was written under the partial name."""
        try:
            if kind is None:
                for _ in self._encoder.flush():
                    pass
        finally:
            self._encoder.close()


def _info(frame: FusedFrame, status: lumabraid.Status | None) -> StreamInfo:
    rate = None if status is None or status.frame_rate is None else Fraction(*status.frame_rate)
    planes = frame.planes
    return StreamInfo(
        planes.width, planes.height, planes.bit_depth, frame.time_base, frame_rate=rate, color=frame.color
    )


def _fused(frame: lumabraid.Frame) -> FusedFrame:
    """The received frame as the encoder takes it; its memory is ZeroMQ's own."""
    header = frame.header
    return FusedFrame(
        index=header.index,
        planes=raw_planes(frame),
        pts=header.pts,
        time_base=Fraction(*header.time_base),
        duration=0,
        color=color_tags(header.color),
        sources=(header.index, header.index),
        ratio_stops=header.ratio_stops,
        captured_ns=header.captured_ns,
        fused_ns=header.fused_ns,
    )
