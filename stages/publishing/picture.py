"""A picture in the forms that several topics start from, each made once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from stages.frame import FusedFrame, PixelArray, Planes
from stages.publishing.buffers import Buffer, BufferRing

# swscale has one number for both flavours of BT.601.
_SWSCALE_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_LIMITED, _FULL = 1, 2


class Picture:
    """One picture of a fused frame; lives in the sender's thread."""

    def __init__(self, planes: Planes, frame: FusedFrame, ring: BufferRing, reformatter: VideoReformatter) -> None:
        """Hold a picture.

        Args:
            planes: its pixels.
            frame: whose time and colour it has.
            ring: for what is computed for sending; of pictures of this name alone, one buffer a frame.
            reformatter: used again from picture to picture.
        """
        self.planes = planes
        self.frame = frame
        self._ring = ring
        self._reformatter = reformatter

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return self.planes.width, self.planes.height

    @cached_property
    def eight_bit(self) -> Planes:
        """The planes in 8 bit; those of 10 bit are rounded."""
        planes = self.planes
        if planes.bit_depth == 8:
            return planes
        return Planes(_rounded(planes.luma), _rounded(planes.chroma))

    @cached_property
    def bgr(self) -> Buffer:
        """Height x width x 3 bytes, full range, by the matrix and range of the colour tags."""
        planes, color = self.planes, self.frame.color
        matrix = _SWSCALE_MATRICES.get(color.matrix, 1 if planes.height >= 720 else 5)
        converted = self._reformatter.reformat(
            self.video_frame,
            format="bgr24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=_FULL if color.is_full_range else _LIMITED,
            dst_color_range=_FULL,
            threads=1,
        )
        row_bytes = planes.width * 3
        rows = np.frombuffer(memoryview(converted.planes[0]), np.uint8).reshape(converted.height, -1)
        buffer = self._ring.take(planes.height * row_bytes)
        np.copyto(buffer.pixels.reshape(planes.height, row_bytes), rows[: planes.height, :row_bytes])
        return buffer

    @cached_property
    def video_frame(self) -> VideoFrame:
        """The 8-bit planes for FFmpeg; of an odd size, the last row or column is there twice.

        4:2:0 holds even sizes only, as encoders see it.
        """
        planes = self.eight_bit
        frame = VideoFrame(planes.width + planes.width % 2, planes.height + planes.height % 2, "yuv420p")
        # VideoFrame.from_ndarray would hold the GIL for the whole copy.
        for target, pixels in zip(frame.planes, (planes.luma, *planes.chroma), strict=True):
            rows = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
            rows = rows[: target.height, : target.width]
            seen_height, seen_width = pixels.shape
            np.copyto(rows[:seen_height, :seen_width], pixels)
            rows[:seen_height, seen_width:] = rows[:seen_height, seen_width - 1 : seen_width]
            rows[seen_height:] = rows[seen_height - 1]
        return frame


def _rounded(pixels: PixelArray) -> PixelArray:
    """10 bit to 8."""
    rounded: PixelArray = np.minimum((pixels + 2) >> 2, 255).astype(np.uint8)
    return rounded
