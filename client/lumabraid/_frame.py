"""A received picture: NumPy views into ZeroMQ's memory."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lumabraid._layout import plane_sizes
from lumabraid.wire import Header, PictureMessage

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""uint8; uint16 for 10 bit, the value in the low bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. Its arrays are read-only views into the message received, which lives as long as any of them."""

    topic: str
    header: Header
    """Everything that is said of the picture: time stamps, colour, sources, ..."""
    planes: tuple[Pixels, ...]
    """(rows, columns) each: Y, Cb, Cr of YUV; the one of gray8; (height, width, 3) of bgr8. Compressed: none."""
    received_ns: int
    """Wall clock when it arrived: nanoseconds since 1970-01-01 UTC."""
    payload: tuple[memoryview, ...]
    """The bytes as received, padding of rows included: one part for each plane."""

    @property
    def luma(self) -> Pixels:
        """Y, (height, width)."""
        return self._plane("yuv420p", 0)

    @property
    def chroma(self) -> tuple[Pixels, Pixels]:
        """Cb and Cr, (ceil(height / 2), ceil(width / 2)) each."""
        return self._plane("yuv420p", 1), self._plane("yuv420p", 2)

    @property
    def bgr(self) -> Pixels:
        """(height, width, 3): blue, green, red."""
        return self._plane("bgr8", 0)

    @property
    def gray(self) -> Pixels:
        """(height, width); a confidence map is in 0..255."""
        return self._plane("gray8", 0)

    @property
    def data(self) -> memoryview:
        """The bytes of a compressed picture: a JPEG file, or one access unit of H.264 or H.265 in Annex B form."""
        if self.planes:
            raise ValueError(f"data is of compressed pictures, this one is {self.header.encoding}: see planes")
        return self.payload[0]

    @property
    def age_s(self) -> float | None:
        """Seconds since the camera's frame was read, by this machine's clock; None when the publisher does not say."""
        captured_ns = self.header.captured_ns
        return (time.time_ns() - captured_ns) / 1e9 if captured_ns else None

    def _plane(self, encoding: str, number: int) -> Pixels:
        """Plane of an encoding, or of its form with more bits."""
        if not self.header.encoding.startswith(encoding):
            raise ValueError(f"this view is of {encoding} pictures, this one is {self.header.encoding}")
        return self.planes[number]

    def __repr__(self) -> str:
        header = self.header
        return f"Frame({self.topic}, {header.width}x{header.height}, seq {header.seq}, pts {header.pts})"


def frame_from_message(message: PictureMessage, *, received_ns: int) -> Frame:
    """The frame of a decoded message, without a copy."""
    header = message.header
    payload = tuple(part.toreadonly() for part in message.payload)
    sizes = plane_sizes(header.encoding, header.width, header.height)
    planes: list[Pixels] = []
    for part, size, stride in zip(payload, sizes, header.strides, strict=False):
        rows = np.frombuffer(part, np.uint8).reshape(size.rows, stride)[:, : size.row_bytes]
        if header.encoding == "yuv420p10le":
            planes.append(rows.view("<u2"))
        elif header.encoding == "bgr8":
            planes.append(rows.reshape(header.height, header.width, 3))
        else:
            planes.append(rows)
    return Frame(message.topic, header, tuple(planes), received_ns, payload)
