"""H.264 and H.265 as Annex B byte streams, a picture in, a picture out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from stages.errors import EncodeError
from stages.frame import ColorRange
from stages.publishing.picture import Picture

VideoCodec = Literal["h264", "h265"]

_ENCODERS: Mapping[VideoCodec, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast"}),
    "h265": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}),
}
# zerolatency: every picture leaves at once, without B pictures. forced-idr: a key frame asked for is one to join at.
_OPTIONS = {"tune": "zerolatency", "forced-idr": "1"}
_KEY_FRAME_INTERVAL = 120
"""Frames between key frames nobody asked for: how long a reader that lost a frame may have to wait."""
_FFMPEG_RANGE = {ColorRange.UNSPECIFIED: 0, ColorRange.LIMITED: 1, ColorRange.FULL: 2}


class AnnexBEncoder:
    """One codec's encoder for pictures of one size.

    Parameter sets stand before every key frame, so that a reader needs nothing from outside the stream.
    """

    def __init__(self, codec: VideoCodec, crf: int, like: Picture) -> None:
        """Make an encoder for pictures of the size, time base and colour of ``like``."""
        name, options = _ENCODERS[codec]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        # Of an odd size, readers cut off the row or column too many.
        context.width, context.height = like.video_frame.width, like.video_frame.height
        context.pix_fmt = "yuv420p"
        context.time_base = like.frame.time_base
        context.framerate = Fraction(30)
        context.gop_size = _KEY_FRAME_INTERVAL
        context.colorspace = like.frame.color.matrix
        context.color_range = _FFMPEG_RANGE[like.frame.color.range]
        context.color_primaries = like.frame.color.primaries
        context.color_trc = like.frame.color.transfer
        context.options = {**options, **_OPTIONS, "crf": str(crf)}
        self._context = context
        self._codec = codec
        self._last_pts: int | None = None

    def encode(self, picture: Picture, *, key_frame: bool) -> tuple[bytes, bool]:
        """The picture's access unit, and whether it is one to join at.

        Raises:
            EncodeError: the encoder refuses.
        """
        frame = picture.video_frame
        # Time in the stream only has to rise; readers take it from the header.
        pts = picture.frame.pts
        frame.pts = pts if self._last_pts is None or pts > self._last_pts else self._last_pts + 1
        self._last_pts = frame.pts
        frame.time_base = picture.frame.time_base
        # Said every time: another topic's encoder may have had this frame before.
        frame.pict_type = PictureType.I if key_frame else PictureType.NONE
        try:
            packets = self._context.encode(frame)
        except FFmpegError as error:
            raise EncodeError(f"publishing {self._codec}: the encoder refuses a picture: {error.strerror}") from error
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)
