"""From planes to what FFmpeg's encoders take."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from stages.frame import ColorRange, ColorTags, Planes

FFMPEG_RANGE = {ColorRange.UNSPECIFIED: 0, ColorRange.LIMITED: 1, ColorRange.FULL: 2}
"""FFmpeg's AVColorRange."""

_SOURCE_FORMATS = {8: "yuv420p", 10: "yuv420p10le"}
# swscale has one number for both flavours of BT.601.
_SWSCALE_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}


class FrameMaker:
    """Makes encoder frames of one pixel format; changes of bit depth and chroma sampling go through swscale."""

    def __init__(self, pixel_format: str, color: ColorTags) -> None:
        """``color``: what the encoded stream says of itself."""
        self._pixel_format = pixel_format
        self._color = color
        self._reformatter = VideoReformatter()

    def make(self, planes: Planes, source: ColorTags, *, pts: int, duration: int, time_base: Fraction) -> VideoFrame:
        """An encoder frame with its own copy of the pixels.

        Args:
            planes: the picture.
            source: its tags; the range may differ from the encoded stream's, everything else is passed on.
            pts: in ``time_base`` units.
            duration: in ``time_base`` units; 0 when unknown.
            time_base: seconds per unit.
        """
        frame = _filled(planes)
        if frame.format.name != self._pixel_format:
            matrix = _SWSCALE_MATRICES.get(source.matrix, 1 if planes.height >= 720 else 5)
            frame = self._reformatter.reformat(
                frame,
                format=self._pixel_format,
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=2 if source.is_full_range else 1,
                dst_color_range=2 if self._color.is_full_range else 1,
            )
        frame.pts = pts
        frame.duration = duration
        frame.time_base = time_base
        frame.colorspace = self._color.matrix
        frame.color_range = FFMPEG_RANGE[self._color.range]
        frame.color_primaries = self._color.primaries
        frame.color_trc = self._color.transfer
        return frame


def _filled(planes: Planes) -> VideoFrame:
    frame = VideoFrame(planes.width, planes.height, _SOURCE_FORMATS[planes.bit_depth])
    # VideoFrame.from_ndarray would hold the GIL for the whole copy.
    for plane, pixels in zip(frame.planes, (planes.luma, *planes.chroma), strict=True):
        height, width = pixels.shape
        rows = np.frombuffer(memoryview(plane), dtype=pixels.dtype).reshape(-1, plane.line_size // pixels.itemsize)
        np.copyto(rows[:height, :width], pixels)
    return frame
