"""The topics on offer: what a fused frame becomes on each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import cv2
import numpy as np
import zmq
from lumabraid.wire import Color, topic_name

from stages.errors import EncodeError
from stages.frame import ColorRange, ColorTags
from stages.publishing.annexb import AnnexBEncoder, VideoCodec
from stages.publishing.material import CONFIDENCE, PICTURES, Material, PictureName
from stages.publishing.picture import Picture

Encoding = Literal["yuv420p", "yuv420p10le", "bgr8", "jpeg", "h264", "h265"]
"""Of the pictures."""

_GRAY: Final = "gray8"
_RGB_MATRIX: Final = 0
_JFIF_MATRIX: Final = 5


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as one topic sends it."""

    payload: Sequence[zmq.Frame | memoryview | bytes]
    """The parts after the header; not to be changed once sent."""
    size: tuple[int, int]
    """Width, height."""
    color: Color
    strides: tuple[int, ...] = ()
    """Bytes from row to row of each plane; empty for a compressed picture."""
    key_frame: bool = True


class Topic(ABC):
    """One topic. ``encode`` is called only while someone reads it."""

    def __init__(self, picture: str, encoding: str) -> None:
        self.encoding = encoding
        self.name = topic_name(picture, encoding)

    @abstractmethod
    def encode(self, material: Material, *, joined: bool) -> Encoded | None:
        """The frame as this topic sends it; None where it has no such form.

        Args:
            material: what to send.
            joined: since the last frame someone began to read.

        Raises:
            EncodeError: the encoder refuses.
        """

    def rest(self) -> None:
        """Nobody reads it any more: let go of what only the next frame would need; as a rule there is nothing."""
        return


class ConfidenceTopic(Topic):
    """The confidence map, one channel of 8 bit."""

    def __init__(self) -> None:
        super().__init__(CONFIDENCE, _GRAY)

    def encode(self, material: Material, *, joined: bool) -> Encoded | None:
        """One part, rows end to end."""
        confidence = material.confidence
        if confidence is None:
            return None
        width, _ = confidence.size
        return Encoded([confidence.gray.message()], confidence.size, _NO_COLOR, (width,))


class PictureTopic(Topic):
    """One of the pictures in one encoding."""

    def __init__(self, picture: PictureName, encoding: Encoding) -> None:
        super().__init__(picture, encoding)
        self._picture: PictureName = picture

    def encode(self, material: Material, *, joined: bool) -> Encoded | None:
        """The picture; None where the frame does not have it."""
        picture = material.pictures.get(self._picture)
        return None if picture is None else self._encode(picture, joined=joined)

    @abstractmethod
    def _encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """As ``encode``."""


class YuvTopic(PictureTopic):
    """Planar YUV 4:2:0, one part a plane, straight from the picture's own memory."""

    def _encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """The planes as they are; None where 10 bit is asked of a picture of 8."""
        deep = self.encoding == "yuv420p10le"
        if deep and picture.planes.bit_depth != 10:
            return None
        planes = picture.planes if deep else picture.eight_bit
        parts = [np.ascontiguousarray(plane) for plane in (planes.luma, *planes.chroma)]
        strides = tuple(part.strides[0] for part in parts)
        return Encoded([part.data for part in parts], picture.size, _color(picture.frame.color), strides)


class BgrTopic(PictureTopic):
    """BGR, 8 bit."""

    def _encode(self, picture: Picture, *, joined: bool) -> Encoded:
        """One part, rows end to end."""
        color = _full_range(picture.frame.color, _RGB_MATRIX)
        return Encoded([picture.bgr.message()], picture.size, color, (3 * picture.planes.width,))


class JpegTopic(PictureTopic):
    """JPEG (JFIF)."""

    def __init__(self, picture: PictureName, quality: int) -> None:
        super().__init__(picture, "jpeg")
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def _encode(self, picture: Picture, *, joined: bool) -> Encoded:
        """One part."""
        planes = picture.planes
        pixels = picture.bgr.pixels.reshape(planes.height, planes.width, 3)
        made, jpeg = cv2.imencode(".jpg", pixels, self._options)
        if not made:
            raise EncodeError(f"publishing jpeg: OpenCV cannot encode a picture of {planes.width}x{planes.height}")
        return Encoded([jpeg.data], picture.size, _full_range(picture.frame.color, _JFIF_MATRIX))


class VideoTopic(PictureTopic):
    """H.264 or H.265, an access unit a message."""

    def __init__(self, picture: PictureName, codec: VideoCodec, crf: int) -> None:
        super().__init__(picture, codec)
        self._codec: VideoCodec = codec
        self._crf = crf
        self._encoder: AnnexBEncoder | None = None
        self._format: object = None

    def _encode(self, picture: Picture, *, joined: bool) -> Encoded | None:
        """One part; a key frame when someone joined."""
        if self._encoder is None or self._format != _format(picture):
            self._encoder = AnnexBEncoder(self._codec, self._crf, picture)
            self._format = _format(picture)
        unit, key_frame = self._encoder.encode(picture, key_frame=joined)
        return Encoded([unit], picture.size, _color(picture.frame.color), key_frame=key_frame) if unit else None

    def rest(self) -> None:
        """Let go of the encoder."""
        self._encoder = None


def make_topics(encodings: Sequence[Encoding], *, jpeg_quality: int, crf: int) -> list[Topic]:
    """All that can be had of a frame, the pictures in these encodings.

    The cheapest come first, so that nobody waits for another's encoder.
    """
    makers: Mapping[Encoding, Callable[[PictureName], Topic]] = {
        "yuv420p": lambda picture: YuvTopic(picture, "yuv420p"),
        "yuv420p10le": lambda picture: YuvTopic(picture, "yuv420p10le"),
        "bgr8": lambda picture: BgrTopic(picture, "bgr8"),
        "jpeg": lambda picture: JpegTopic(picture, jpeg_quality),
        "h264": lambda picture: VideoTopic(picture, "h264", crf),
        "h265": lambda picture: VideoTopic(picture, "h265", crf),
    }
    pictures = [make(picture) for encoding, make in makers.items() if encoding in encodings for picture in PICTURES]
    return [ConfidenceTopic(), *pictures]


def _format(picture: Picture) -> object:
    """What one encoder cannot see change."""
    return picture.planes.luma.shape, picture.frame.color, picture.frame.time_base


def _color(tags: ColorTags) -> Color:
    return Color(matrix=tags.matrix, range=tags.range.value, primaries=tags.primaries, transfer=tags.transfer)


def _full_range(tags: ColorTags, matrix: int) -> Color:
    """The tags of pixels converted to another matrix and full range."""
    return _color(replace(tags, matrix=matrix, range=ColorRange.FULL))


_NO_COLOR: Final = _color(ColorTags(range=ColorRange.FULL))
