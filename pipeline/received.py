"""What a subscriber receives, as planes: raw pictures as they are, compressed ones decoded."""

from __future__ import annotations

from typing import Any, Final

import av
import lumabraid
import numpy as np
from av.codec.context import CodecContext, ThreadType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from stages.capture.planes import PlaneReader
from stages.errors import LumabraidError
from stages.frame import ColorRange, ColorTags, Planes

_DECODERS: Final = {"jpeg": "mjpeg", "h264": "h264", "h265": "hevc"}
_PIXELS: Final = {"bgr8": "bgr24", "gray8": "gray"}
"""FFmpeg's names."""


class ReceivedPictures:
    """Reads the frames of one topic."""

    def __init__(self) -> None:
        self._decoder: VideoCodecContext | None = None
        self._stream = ""

    def read(self, frame: lumabraid.Frame) -> tuple[Planes, ColorTags] | None:
        """The picture and its colour; None where the decoder needs an earlier or later part of the stream first.

        Raises:
            LumabraidError: this encoding cannot be shown.
        """
        header = frame.header
        color = color_tags(header.color)
        if header.encoding.startswith("yuv420p"):
            return raw_planes(frame), color
        if header.encoding in _DECODERS:
            picture = self._decode(frame)
            return None if picture is None else (PlaneReader(picture).read(picture), color)
        if header.encoding in _PIXELS:
            pixels: Any = np.ascontiguousarray(frame.planes[0])
            picture = VideoFrame.from_ndarray(pixels, _PIXELS[header.encoding])
            reader = PlaneReader(picture)
            return reader.read(picture), reader.color
        known = ", ".join(["yuv420p", "yuv420p10le", *_PIXELS, *_DECODERS])
        raise LumabraidError(f"{frame.topic} cannot be shown: take a topic of one of {known}")

    def _decode(self, frame: lumabraid.Frame) -> VideoFrame | None:
        """The newest picture that comes out."""
        header = frame.header
        if self._decoder is None or self._stream != header.stream:
            decoder = CodecContext.create(_DECODERS[header.encoding], "r")
            assert isinstance(decoder, VideoCodecContext)
            self._decoder = decoder
            self._decoder.thread_type = ThreadType.SLICE  # with frames in threads each would come some frames late
            self._stream = header.stream
        try:
            pictures = self._decoder.decode(av.Packet(bytes(frame.data)))
        except av.error.InvalidDataError:
            return None  # joined amid a stream, or something was lost: the next key frame mends it
        return pictures[-1] if pictures else None


def color_tags(color: lumabraid.Color) -> ColorTags:
    """As the stages know them."""
    return ColorTags(color.matrix, ColorRange(color.range), color.primaries, color.transfer)


def raw_planes(frame: lumabraid.Frame) -> Planes:
    """Of a picture in planar YUV, in memory of their own where the message's is not in one piece."""
    luma: Any = np.ascontiguousarray(frame.luma)
    chroma: Any = np.stack(frame.chroma)
    return Planes(luma, chroma, 10 if frame.header.encoding == "yuv420p10le" else 8)
