"""The topics on offer: what a fused frame becomes on each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import cv2
import numpy as np
import zmq
from lumabraid._wire import Color, topic_name

from stages.errors import EncodeError
from stages.frame import ColorRange, ColorTags, FusedFrame
from stages.publishing.annexb import AnnexBEncoder, VideoCodec
from stages.publishing.picture import Picture

Encoding = Literal["yuv420p", "yuv420p10le", "bgr8", "jpeg", "h264", "h265"]

PICTURE: Final = "fused"
"""The first half of every topic's name."""

_RGB_MATRIX: Final = 0
_JFIF_MATRIX: Final = 5


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as one topic sends it."""

    payload: Sequence[zmq.Frame | memoryview | bytes]
    """The parts after the header; not to be changed once sent."""
    color: Color
    strides: tuple[int, ...] = ()
    """Bytes from row to row of each plane; empty for a compressed picture."""
    key_frame: bool = True


class Topic(ABC):
    """One topic. ``encode`` is called only while someone reads it."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding: Encoding = encoding
        self.name = topic_name(PICTURE, encoding)

    @abstractmethod
    def encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """The picture as this topic sends it; None where the picture has no such form.

        Args:
            picture: what to send.
            joined: since the last picture someone began to read.

        Raises:
            EncodeError: the encoder refuses.
        """

    def rest(self) -> None:
        """Nobody reads it any more: let go of what only the next picture would need; as a rule there is nothing."""
        return


class YuvTopic(Topic):
    """Planar YUV 4:2:0, one part a plane, straight from the frame's own memory."""

    def encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """The planes as they are; None where 10 bit is asked of a frame of 8."""
        if self.encoding == "yuv420p10le" and picture.frame.planes.bit_depth != 10:
            return None
        planes = picture.eight_bit if self.encoding == "yuv420p" else picture.frame.planes
        parts = [np.ascontiguousarray(plane) for plane in (planes.luma, *planes.chroma)]
        strides = tuple(part.strides[0] for part in parts)
        return Encoded([part.data for part in parts], _color(picture.frame.color), strides)


class BgrTopic(Topic):
    """BGR, 8 bit."""

    def encode(self, picture: Picture, *, joined: bool) -> Encoded:
        """One part, rows end to end."""
        color = _full_range(picture.frame.color, _RGB_MATRIX)
        return Encoded([picture.bgr.message()], color, (3 * picture.frame.planes.width,))


class JpegTopic(Topic):
    """JPEG (JFIF)."""

    def __init__(self, quality: int) -> None:
        super().__init__("jpeg")
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def encode(self, picture: Picture, *, joined: bool) -> Encoded:
        """One part."""
        planes = picture.frame.planes
        pixels = picture.bgr.pixels.reshape(planes.height, planes.width, 3)
        made, jpeg = cv2.imencode(".jpg", pixels, self._options)
        if not made:
            raise EncodeError(f"publishing jpeg: OpenCV cannot encode a picture of {planes.width}x{planes.height}")
        return Encoded([jpeg.data], _full_range(picture.frame.color, _JFIF_MATRIX))


class VideoTopic(Topic):
    """H.264 or H.265, an access unit a message."""

    def __init__(self, codec: VideoCodec, crf: int) -> None:
        super().__init__(codec)
        self._codec: VideoCodec = codec
        self._crf = crf
        self._encoder: AnnexBEncoder | None = None
        self._format: object = None

    def encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """One part; a key frame when someone joined."""
        if self._encoder is None or self._format != _format(picture.frame):
            self._encoder = AnnexBEncoder(self._codec, self._crf, picture.frame)
            self._format = _format(picture.frame)
        unit, key_frame = self._encoder.encode(picture, key_frame=joined)
        return Encoded([unit], _color(picture.frame.color), key_frame=key_frame) if unit else None

    def rest(self) -> None:
        """Let go of the encoder."""
        self._encoder = None


def make_topics(encodings: Sequence[Encoding], *, jpeg_quality: int, crf: int) -> list[Topic]:
    """The topics of these encodings, the cheapest first, so that nobody waits for another's encoder."""
    made: dict[Encoding, Topic] = {
        "yuv420p": YuvTopic("yuv420p"),
        "yuv420p10le": YuvTopic("yuv420p10le"),
        "bgr8": BgrTopic("bgr8"),
        "jpeg": JpegTopic(jpeg_quality),
        "h264": VideoTopic("h264", crf),
        "h265": VideoTopic("h265", crf),
    }
    return [topic for encoding, topic in made.items() if encoding in encodings]


def _format(frame: FusedFrame) -> object:
    """What one encoder cannot see change."""
    return frame.planes.luma.shape, frame.color, frame.time_base


def _color(tags: ColorTags) -> Color:
    return Color(matrix=tags.matrix, range=tags.range.value, primaries=tags.primaries, transfer=tags.transfer)


def _full_range(tags: ColorTags, matrix: int) -> Color:
    """The tags of pixels converted to another matrix and full range."""
    return _color(replace(tags, matrix=matrix, range=ColorRange.FULL))
