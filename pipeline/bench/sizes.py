"""Picture sizes by the names people use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SMALLEST_PX: Final = 64
_LARGEST_PX: Final = 16384


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, in pixels."""

    name: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


SIZES: Final = {
    size.name.lower(): size
    for size in (Size("540p", 960, 540), Size("720p", 1280, 720), Size("1080p", 1920, 1080), Size("4K", 3840, 2160))
}
"""What is measured unless told otherwise, by name in lower case."""


def parse_size(text: str) -> Size:
    """A size by its name, or as WIDTHxHEIGHT.

    Raises:
        ValueError: neither of them, odd, or out of range.
    """
    known = SIZES.get(text.lower())
    if known is not None:
        return known
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        names = ", ".join(size.name for size in SIZES.values())
        raise ValueError(f"{text!r} is no size: give {names} or WIDTHxHEIGHT")
    width, height = int(match[1]), int(match[2])
    if width % 2 or height % 2 or min(width, height) < _SMALLEST_PX or max(width, height) > _LARGEST_PX:
        raise ValueError(f"{text}: width and height must be even and between {_SMALLEST_PX} and {_LARGEST_PX}")
    return Size(text, width, height)
