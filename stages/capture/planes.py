"""Copies decoded pictures out as planar YUV 4:2:0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange as AvColorRange
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from stages.capture.tags import color_tags, is_gray, is_rgb
from stages.frame import ColorRange, ColorTags, PixelArray, Planes

_BIT_DEPTH_AS_STORED = {
    "yuv420p": 8,
    "yuvj420p": 8,
    "yuva420p": 8,
    "yuv420p10le": 10,
    "yuva420p10le": 10,
    "gray": 8,
    "gray10le": 10,
    "nv12": 8,
    "p010le": 10,
}
"""Formats whose code values are taken as they are; alpha is left behind."""

_SEMI_PLANAR_SHIFTS = {"nv12": 0, "p010le": 6}
"""What GPUs and cameras give: U and V of each place side by side in one plane, code values this many bits up."""

_TOP_OF_10_BIT = np.uint16(1023)
"""What is stored in 16 bits can be more, in damaged files above all; curves have no entry for it."""

_SWSCALE_MATRIX = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}

_AREA_AVERAGE = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
"""Chroma at the centre of each 2 x 2 block, like stages.color; luma keeps its code values."""


class PlaneReader:
    """Brings every picture of a stream to the bit depth, matrix and range of its first.

    4:2:0 of 8 and 10 bit and gray come through bit-exact. More than 10 bit is rounded to 10. RGB becomes
    BT.709 in full range, which keeps more of its levels than limited range does.
    """

    def __init__(self, first: VideoFrame) -> None:
        depth = max(part.bits for part in first.format.components if not part.is_alpha)
        self.bit_depth = 10 if depth > 8 else 8
        tags = color_tags(first)
        self.color = replace(tags, matrix=1, range=ColorRange.FULL) if is_rgb(first.format) else tags
        self._reformatter = VideoReformatter()

    def read(self, frame: VideoFrame) -> Planes:
        """The picture's planes in memory of their own."""
        gray = is_gray(frame.format)
        source = color_tags(frame)
        same_meaning = _meaning(source, frame.height) == _meaning(self.color, frame.height)
        stored_depth = _BIT_DEPTH_AS_STORED.get(frame.format.name)
        if stored_depth != self.bit_depth or not same_meaning:
            frame = self._convert(frame, source, "gray" if gray else "yuv420p")
        shift = _SEMI_PLANAR_SHIFTS.get(frame.format.name)
        if shift is not None:
            return _apart(frame, self.bit_depth, shift)
        luma = _copied(frame.planes[0], self.bit_depth)
        height, width = luma.shape
        chroma = np.empty((2, -(-height // 2), -(-width // 2)), luma.dtype)
        if gray:
            chroma[:] = 1 << (self.bit_depth - 1)
        else:
            for target, plane in zip(chroma, frame.planes[1:3], strict=True):
                target[:] = _copied(plane, self.bit_depth)
        return Planes(luma, chroma, self.bit_depth)

    def _convert(self, frame: VideoFrame, source: ColorTags, layout: str) -> VideoFrame:
        return self._reformatter.reformat(
            frame,
            format=layout if self.bit_depth == 8 else f"{layout}10le",
            src_colorspace=_meaning(source, frame.height)[0],
            dst_colorspace=_meaning(self.color, frame.height)[0],
            src_color_range=_meaning(source, frame.height)[1],
            dst_color_range=_meaning(self.color, frame.height)[1],
            interpolation=_AREA_AVERAGE,
            threads=1,
        )


def _meaning(tags: ColorTags, height: int) -> tuple[Colorspace, AvColorRange]:
    """Matrix and range as swscale names them, guessed as players do where the tags are silent."""
    guess = Colorspace.ITU709 if height >= 720 else Colorspace.ITU601
    return (
        _SWSCALE_MATRIX.get(tags.matrix, guess),
        AvColorRange.JPEG if tags.is_full_range else AvColorRange.MPEG,
    )


def _apart(frame: VideoFrame, bit_depth: int, shift: int) -> Planes:
    """Planes of a semi-planar picture."""
    stored, pairs = _view(frame.planes[0], bit_depth), _view(frame.planes[1], bit_depth, interleaved=2)
    luma = stored.copy()
    chroma = np.empty((2, pairs.shape[0], pairs.shape[1] // 2), luma.dtype)
    for first, target in enumerate(chroma):
        target[:] = pairs[:, first::2]
    if shift:
        for samples in (luma, chroma):
            np.right_shift(samples, shift, out=samples)
    return Planes(luma, chroma, bit_depth)


def _copied(plane: VideoPlane, bit_depth: int) -> PixelArray:
    """(height, width) code values in memory of their own, none above the largest of the bit depth."""
    stored = _view(plane, bit_depth)
    return stored.copy() if bit_depth == 8 else np.minimum(stored, _TOP_OF_10_BIT)


def _view(plane: VideoPlane, bit_depth: int, *, interleaved: int = 1) -> PixelArray:
    """(height, width * interleaved) view on the decoder's memory, where rows may be padded or upside down."""
    line_bytes = abs(plane.line_size)
    memory = memoryview(plane)
    samples: PixelArray
    if bit_depth == 8:
        samples = np.frombuffer(memory, np.uint8).reshape(plane.height, line_bytes)
    else:
        samples = np.frombuffer(memory, np.uint16).reshape(plane.height, line_bytes // 2)
    upright = samples if plane.line_size > 0 else samples[::-1]
    return upright[:, : plane.width * interleaved]
