"""Frames from a folder of pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

from stages.capture.locate import printable
from stages.capture.picture import PICTURE_COLOR, read_picture
from stages.capture.sequence import find_pictures
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame, Planes, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Source


@dataclass(frozen=True, kw_only=True)
class PicturesConfig:
    """Pictures in a folder, in the natural order of their names (2 before 10)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["pictures"] = "pictures"
    """Which source this is."""
    input: str
    """A folder, a glob such as 'shots/*.png' or a printf pattern such as 'img_%04d.png'."""
    frame_rate: float = 25.0
    """Pictures per second; 29.97 is taken as 30000/1001."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not self.input:
            raise ValueError("input must name a folder or a pattern of pictures, got an empty text")
        if not 0.001 <= self.frame_rate <= 100_000:
            raise ValueError(f"frame_rate must be between 0.001 and 100000, got {self.frame_rate}")

    @property
    def rate(self) -> Fraction:
        """Pictures per second, exactly."""
        ntsc = Fraction(round(self.frame_rate * 1.001) * 1000, 1001)
        if not float(self.frame_rate).is_integer() and abs(ntsc - Fraction(self.frame_rate)) < Fraction(1, 200):
            return ntsc
        return Fraction(self.frame_rate).limit_denominator(1000)


class PicturesSource(Source):
    """Reads PNG, JPEG, TIFF, BMP and WebP pictures, one a frame.

    8-bit pictures become 8-bit planes, 16-bit ones 10-bit; alpha is left behind. A picture's EXIF orientation is
    applied, as viewers do: frames stand upright. The colour tags are BT.709 matrix, sRGB transfer, full range.
    """

    Config = PicturesConfig

    def __init__(self, config: PicturesConfig) -> None:
        self._config = config
        self._paths: list[Path] = []
        self._next_index = 0
        self._first: Planes | None = None

    def open(self) -> StreamInfo:
        """List the pictures and read the first.

        Raises:
            SourceError: no such folder, no picture in it, or the first cannot be read.
        """
        self._paths = find_pictures(self._config.input)
        self._first = read_picture(self._paths[0])
        return StreamInfo(
            width=self._first.width,
            height=self._first.height,
            bit_depth=self._first.bit_depth,
            time_base=1 / self._config.rate,
            frame_rate=self._config.rate,
            frame_count=len(self._paths),
            color=PICTURE_COLOR,
            name=printable(self._config.input),
            pictures=tuple(self._paths),
        )

    def read(self) -> Frame | None:
        """The next picture; None after the last.

        Raises:
            DamagedSourceError: it cannot be read, or differs from the first in size or bit depth.
        """
        if self._first is None or self._next_index == len(self._paths):
            return None
        path = self._paths[self._next_index]
        try:
            planes = read_picture(path) if self._next_index else self._first
            _check_like(planes, self._first, path)
        except SourceError as error:
            raise DamagedSourceError(f"picture {self._next_index + 1} of {len(self._paths)}: {error}") from None
        frame = Frame(
            index=self._next_index,
            planes=planes,
            pts=self._next_index,
            time_base=1 / self._config.rate,
            duration=1,
            captured_ns=time.time_ns(),
            color=PICTURE_COLOR,
        )
        self._next_index += 1
        return frame

    def close(self) -> None:
        """Forget the pictures; no file stays open between reads."""
        self._first = None


def _check_like(planes: Planes, first: Planes, path: Path) -> None:
    """Refuse a picture that cannot stand in one video with the first."""
    if (planes.width, planes.height) != (first.width, first.height):
        raise SourceError(
            f"{printable(str(path))} has {planes.width}x{planes.height} pixels, "
            f"the first picture {first.width}x{first.height}; bring them to one size"
        )
    if planes.bit_depth != first.bit_depth:
        raise SourceError(
            f"{printable(str(path))} becomes {planes.bit_depth} bit, the first picture {first.bit_depth} bit; "
            "save them all with the same depth"
        )
