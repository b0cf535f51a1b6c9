"""Makes frames of the decoded pictures of a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture.container import describe
from stages.capture.planes import PlaneReader
from stages.capture.timeline import Timeline
from stages.errors import SourceError
from stages.frame import Frame


def captured(pictures: Iterator[VideoFrame], reader: PlaneReader, stream: VideoStream, *, name: str) -> Iterator[Frame]:
    """A frame for each picture, counted from 0, at the stream's own times.

    Raises:
        SourceError: a picture is in a pixel format that cannot be converted; ``name`` says whose.
    """
    time_base = time_base_of(stream)
    timeline = Timeline(time_base=time_base, frame_rate=frame_rate_of(stream), start=stream.start_time or 0)
    for index, picture in enumerate(pictures):
        captured_ns = time.time_ns()
        try:
            planes = reader.read(picture)
        except av.error.FFmpegError as error:
            raise SourceError(
                f"{name}: frame {index} cannot be converted from {picture.format.name} to YUV 4:2:0 "
                f"({describe(error)}); convert the video to another pixel format"
            ) from None
        yield Frame(
            index=index,
            planes=planes,
            pts=timeline.place(picture.pts),
            time_base=time_base,
            duration=max(picture.duration, 0),
            captured_ns=captured_ns,
            color=reader.color,
        )


def time_base_of(stream: VideoStream) -> Fraction:
    """Seconds per unit of the stream's times."""
    return stream.time_base or Fraction(1, 90_000)


def frame_rate_of(stream: VideoStream) -> Fraction | None:
    """Frames per second; None when unknown."""
    return stream.average_rate or stream.guessed_rate or None
