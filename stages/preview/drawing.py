"""From planes to JPEG and PNG: upright, with square pixels, in the colours the tags name."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from stages.color import bgr_from_planes, screen_bgr
from stages.frame import ColorTags, Planes

_TURNS: Final = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}
_PNG_COMPRESSION: Final = 2
"""Of 9: more takes several times as long for a few per cent."""


class Scratch(threading.local):
    """Memory used again for every picture, for fresh pages cost more than the arithmetic; each thread has its own."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
        """What was taken under this name before, if it fits; its content is left over."""
        found = self._arrays.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            found = self._arrays[name] = np.empty(shape, dtype)
        return found


def small_bgr(
    planes: Planes,
    color: ColorTags,
    *,
    sample_aspect_ratio: Fraction,
    rotation_deg: int,
    largest_side: int,
    scratch: Scratch,
) -> npt.NDArray[np.uint8]:
    """(height, width, 3) BGR for the screen: quick, not enlarged, within one or two code values of ``full_bgr``.

    Args:
        planes: the picture as stored.
        color: names its matrix and range.
        sample_aspect_ratio: width over height of one stored pixel.
        rotation_deg: counter-clockwise: 0, 90, 180 or 270.
        largest_side: of the result, in pixels.
        scratch: the result may lie in it, and is valid until the thread uses it again.
    """
    width, height = _square_size(planes, sample_aspect_ratio)
    scale = min(largest_side / max(width, height), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    # Chroma of an odd width or height reaches half a sample beyond luma.
    reach = (_reach(size[0], planes.width), _reach(size[1], planes.height))
    channels = []
    for name, plane, wanted in zip(
        ("luma", "cb", "cr"), (planes.luma, *planes.chroma), (size, reach, reach), strict=True
    ):
        resized = _resized(plane, wanted, dst=scratch.take(name, wanted[::-1], plane.dtype))
        if planes.bit_depth == 10:
            resized = cv2.convertScaleAbs(resized, dst=scratch.take(f"{name} in 8 bit", resized.shape), alpha=0.25)
        channels.append(resized[: size[1], : size[0]])
    shape = (size[1], size[0], 3)
    merged, bgr = (scratch.take(name, shape) for name in ("merged", "bgr"))
    return _turned(screen_bgr(channels, color, height=planes.height, merged=merged, bgr=bgr), rotation_deg)


def full_bgr(
    planes: Planes, color: ColorTags, *, sample_aspect_ratio: Fraction, rotation_deg: int
) -> npt.NDArray[np.float32]:
    """(height, width, 3) BGR in [0, 1] with every stored pixel; the shorter side of a pixel is stretched."""
    size = _square_size(planes, sample_aspect_ratio)
    return _turned(_resized(bgr_from_planes(planes, color), size), rotation_deg)


def jpeg(bgr: npt.NDArray[np.uint8], quality: int) -> bytes:
    """A JPEG file."""
    return _encoded(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])


def png(bgr: npt.NDArray[np.float32], *, bit_depth: int) -> bytes:
    """A PNG file of BGR in [0, 1]: 8 bit a channel, or 16 for 10-bit pictures."""
    if bit_depth == 8:
        return _encoded(".png", eight_bit(bgr), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])
    return _encoded(".png", np.rint(bgr * 65535).astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])


def eight_bit(bgr: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """[0, 1] as 0 to 255."""
    return np.rint(bgr * 255).astype(np.uint8)


def _square_size(planes: Planes, sample_aspect_ratio: Fraction) -> tuple[int, int]:
    """(width, height) with square pixels, none of them lost."""
    stretch = float(sample_aspect_ratio)
    if stretch >= 1:
        return round(planes.width * stretch), planes.height
    return planes.width, round(planes.height / stretch)


def _reach(side: int, stored: int) -> int:
    """How far chroma reaches where luma takes ``side`` pixels for ``stored`` ones."""
    return round(side * (stored + stored % 2) / stored)


def _resized(pixels: npt.NDArray[Any], size: tuple[int, int], dst: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    shrinks = size[0] <= width and size[1] <= height
    return cv2.resize(pixels, size, dst=dst, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _turned(bgr: npt.NDArray[Any], rotation_deg: int) -> npt.NDArray[Any]:
    return cv2.rotate(bgr, _TURNS[rotation_deg]) if rotation_deg in _TURNS else bgr


def _encoded(extension: str, bgr: npt.NDArray[Any], options: list[int]) -> bytes:
    made, encoded = cv2.imencode(extension, bgr, options)
    if not made:
        raise ValueError(f"a picture of {bgr.shape[1]}x{bgr.shape[0]} cannot be encoded as {extension}")
    return encoded.tobytes()
