"""What a decoded picture says of itself, in the terms of ITU-T H.273."""

from __future__ import annotations

from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange as AvColorRange

from stages.frame import UNSPECIFIED, ColorRange, ColorTags

_RANGES = {AvColorRange.MPEG: ColorRange.LIMITED, AvColorRange.JPEG: ColorRange.FULL}


def is_gray(picture_format: VideoFormat) -> bool:
    """True for luma alone, with or without alpha."""
    colors = [part for part in picture_format.components if not part.is_alpha]
    return len(colors) == 1 and not picture_format.has_palette and not picture_format.is_bayer


def is_rgb(picture_format: VideoFormat) -> bool:
    """True for RGB, also by way of a palette."""
    return picture_format.is_rgb or picture_format.has_palette


def color_tags(frame: VideoFrame) -> ColorTags:
    """Tags of the code values in ``frame``; the range is named where the pixel format implies it.

    Gray and RGB without a range are full, as FFmpeg takes them.
    """
    color_range = _RANGES.get(AvColorRange(frame.color_range), ColorRange.UNSPECIFIED)
    implies_full = is_rgb(frame.format) or is_gray(frame.format)
    if frame.format.name.startswith("yuvj") or (color_range is ColorRange.UNSPECIFIED and implies_full):
        color_range = ColorRange.FULL
    return ColorTags(
        matrix=_code_point(frame.colorspace),
        range=color_range,
        primaries=_code_point(frame.color_primaries) or UNSPECIFIED,
        transfer=_code_point(frame.color_trc) or UNSPECIFIED,
    )


def rotation_deg(frame: VideoFrame) -> int:
    """What a player must turn the picture by, counter-clockwise, to the next quarter turn."""
    return round(frame.rotation / 90) * 90 % 360


def _code_point(value: int) -> int:
    """FFmpeg numbers its own additions from 256."""
    return value if value < 256 else UNSPECIFIED
