"""Small videos made for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Picture = list[npt.NDArray[Any]]
"""One (rows, columns) array for each plane of a planar pixel format."""

LOSSLESS_H264 = {"qp": "0"}
B_FRAMES_H264 = {"qp": "1", "bf": "2", "g": "10", "x264-params": "b-adapt=0:scenecut=0"}
"""Stores pictures in another order than they are shown; x264 does so only with loss."""


def noise(
    count: int, *, pixel_format: str = "yuv420p", width: int = 64, height: int = 48, seed: int = 0
) -> list[Picture]:
    """Random code values, in which nothing that is wrong by one can hide."""
    rng = np.random.default_rng(seed)
    layout = VideoFrame(width, height, pixel_format)
    levels = 1 << layout.format.components[0].bits
    return [[rng.integers(0, levels, view.shape).astype(view.dtype) for view in _views(layout)] for _ in range(count)]


def flat(levels: Iterable[int], *, width: int = 64, height: int = 48) -> list[Picture]:
    """One gray picture, 8-bit 4:2:0, for each level of luma."""
    half = (-(-height // 2), -(-width // 2))
    return [
        [np.full((height, width), level, np.uint8), np.full(half, 128, np.uint8), np.full(half, 128, np.uint8)]
        for level in levels
    ]


def write_clip(
    path: Path,
    pictures: Sequence[Picture],
    *,
    pixel_format: str = "yuv420p",
    codec: str = "ffv1",
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    prepare: Callable[[VideoStream], None] = lambda stream: None,
) -> Path:
    """Encode the pictures at 25 frames per second, or at ``pts``; ``prepare`` sets up the stream before the first."""
    with av.open(str(path.absolute()), "w", options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=25, options=dict(options or {}))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = pictures[0][0].shape
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        prepare(stream)
        for index, picture in enumerate(pictures):
            frame = to_frame(picture, pixel_format)
            frame.pts, frame.time_base = pts[index] if pts else index, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def to_frame(picture: Picture, pixel_format: str) -> VideoFrame:
    """The picture as PyAV takes it."""
    height, width = picture[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for view, plane in zip(_views(frame), picture, strict=True):
        view[:] = plane
    return frame


def semi_planar(frame: VideoFrame) -> VideoFrame:
    """The picture as a GPU gives it: rows padded, 10 bit in the upper bits, chroma in pairs."""
    planar = frame.format.name
    made = VideoFrame(frame.width, frame.height, "nv12" if planar == "yuv420p" else "p010le")
    dtype, shift = (np.uint8, 0) if planar == "yuv420p" else (np.uint16, 6)
    luma, blue, red = _views(frame)
    for plane, pixels in zip(made.planes, (luma, np.dstack([blue, red]).reshape(len(blue), -1)), strict=True):
        rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
        rows[:, : pixels.shape[1]] = pixels << shift
    made.pts, made.duration = frame.pts, frame.duration
    for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(made, tag, getattr(frame, tag))
    return made


def _views(frame: VideoFrame) -> list[npt.NDArray[Any]]:
    """Writable views on the planes, without the padding of their rows."""
    dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    return [
        np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes
    ]
