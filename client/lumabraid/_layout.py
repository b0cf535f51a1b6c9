"""Encodings: what the bytes of a payload are, and how large they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lumabraid._errors import MessageError

RAW_ENCODINGS = ("yuv420p", "yuv420p10le", "bgr8", "gray8")
COMPRESSED_ENCODINGS = ("jpeg", "h264", "h265")

MAX_SIDE = 16384
"""Largest width and height, in pixels."""
MAX_PAYLOAD_BYTES = 1 << 28
"""Largest payload, all parts together: 256 MiB."""


class PlaneSize(NamedTuple):
    """One plane of a raw picture."""

    rows: int
    row_bytes: int
    """Bytes of a row that hold pixels; the stride may be larger."""


def plane_sizes(encoding: str, width: int, height: int) -> tuple[PlaneSize, ...]:
    """The planes of a picture in the order they are sent; none for a compressed encoding.

    Raises:
        MessageError: the encoding is unknown.
    """
    half = PlaneSize(-(-height // 2), -(-width // 2))
    match encoding:
        case "yuv420p":
            return (PlaneSize(height, width), half, half)
        case "yuv420p10le":
            half = PlaneSize(half.rows, 2 * half.row_bytes)
            return (PlaneSize(height, 2 * width), half, half)
        case "bgr8":
            return (PlaneSize(height, 3 * width),)
        case "gray8":
            return (PlaneSize(height, width),)
        case _ if encoding in COMPRESSED_ENCODINGS:
            return ()
    known = ", ".join((*RAW_ENCODINGS, *COMPRESSED_ENCODINGS))
    raise MessageError(f"unknown encoding {encoding!r}: this lumabraid knows {known}")


def split_payload(
    encoding: str, width: int, height: int, strides: Sequence[int], parts: Sequence[memoryview]
) -> tuple[memoryview, ...]:
    """One view for each plane, or the single part of a compressed picture; nothing is copied.

    Args:
        encoding: one of the encodings.
        width: pixels.
        height: pixels.
        strides: bytes from one row to the next, for each plane; none for a compressed encoding.
        parts: flat views of bytes: one with all planes end to end, or one for each plane.

    Raises:
        MessageError: the parts are not what the other arguments announce.
    """
    planes = plane_sizes(encoding, width, height)
    if len(strides) != len(planes):
        raise MessageError(f"{encoding} has {len(planes)} planes, but the header gives {len(strides)} strides")
    sizes = [len(part) for part in parts]
    if sum(sizes) > MAX_PAYLOAD_BYTES:
        raise MessageError(f"the payload has {sum(sizes)} bytes: more than {MAX_PAYLOAD_BYTES} are not accepted")
    if not planes:
        if len(parts) != 1 or not sizes[0]:
            raise MessageError(f"{encoding} is one part that is not empty, got parts of {sizes} bytes")
        return tuple(parts)
    for plane, stride in zip(planes, strides, strict=True):
        if stride < plane.row_bytes or (encoding == "yuv420p10le" and stride % 2):
            raise MessageError(
                f"a row of {plane.row_bytes} bytes ({encoding}, {width}x{height}) cannot have stride {stride}"
            )
    expected = [plane.rows * stride for plane, stride in zip(planes, strides, strict=True)]
    if sizes == expected:
        return tuple(parts)
    if sizes != [sum(expected)]:
        raise MessageError(
            f"{encoding} of {width}x{height} with strides {list(strides)} is {expected} bytes, got parts of {sizes}"
        )
    views = []
    start = 0
    for size in expected:
        views.append(parts[0][start : start + size])
        start += size
    return tuple(views)
