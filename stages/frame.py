"""What travels between stages.

Pixels are planar YUV 4:2:0, as decoders give and encoders take them; BGR exists only at the edges. All
classes are immutable: a stage that changes pixels makes a new object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PixelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""uint8 for 8 bit; uint16 with the value in the low bits for 10 bit."""

UNSPECIFIED = 2
"""The code point of ITU-T H.273 that says nothing."""

_LUMA_COEFFICIENTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
}
"""(K_R, K_B) by matrix code point, ITU-T H.273 table 4."""


class ColorRange(Enum):
    """Which code values black and white stand at (8 bit: limited 16-235, full 0-255)."""

    UNSPECIFIED = "unspecified"
    LIMITED = "limited"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ColorTags:
    """How code values become colour: code points of ITU-T H.273, carried from input to output untouched."""

    matrix: int = UNSPECIFIED
    """MatrixCoefficients: 1 = BT.709, 5 and 6 = BT.601, 9 = BT.2020."""
    range: ColorRange = ColorRange.UNSPECIFIED
    primaries: int = UNSPECIFIED
    """ColourPrimaries: 1 = BT.709 / sRGB."""
    transfer: int = UNSPECIFIED
    """TransferCharacteristics: 1 = BT.709, 13 = sRGB, 16 = PQ, 18 = HLG."""

    @property
    def is_full_range(self) -> bool:
        """True for full range; unspecified counts as limited, as players do."""
        return self.range is ColorRange.FULL

    def luma_coefficients(self, *, height: int) -> tuple[float, float]:
        """(K_R, K_B) of the matrix.

        An unspecified one is guessed by height, as players do: BT.709 from 720 rows up, BT.601 below.
        """
        guess = 1 if height >= 720 else 6
        return _LUMA_COEFFICIENTS.get(self.matrix, _LUMA_COEFFICIENTS[guess])


BT709 = ColorTags(matrix=1, range=ColorRange.LIMITED, primaries=1, transfer=1)
"""What lumabraid writes when it makes YUV itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One picture in planar YUV 4:2:0; code values as stored, range as the colour tags say."""

    luma: PixelArray
    """(height, width), C-contiguous rows."""
    chroma: PixelArray
    """(2, ceil(height / 2), ceil(width / 2)): Cb, then Cr; same dtype as luma."""
    bit_depth: int = 8
    """8 (uint8) or 10 (uint16)."""

    def __post_init__(self) -> None:
        """Refuse planes that do not belong together."""
        height, width = self.luma.shape
        expected: tuple[int, ...] = (2, -(-height // 2), -(-width // 2))
        if self.chroma.shape != expected:
            raise ValueError(
                f"chroma must have shape {expected} beside luma {self.luma.shape}, got {self.chroma.shape}"
            )
        dtype: Any = {8: np.uint8, 10: np.uint16}.get(self.bit_depth)
        if dtype is None or self.luma.dtype != dtype or self.chroma.dtype != dtype:
            raise ValueError(
                f"bit depth 8 is uint8 and 10 is uint16, got {self.bit_depth} with luma {self.luma.dtype} "
                f"and chroma {self.chroma.dtype}"
            )

    @property
    def height(self) -> int:
        """Rows of luma."""
        return int(self.luma.shape[0])

    @property
    def width(self) -> int:
        """Columns of luma."""
        return int(self.luma.shape[1])

    @property
    def max_value(self) -> int:
        """The largest code value: 255 or 1023."""
        return (1 << self.bit_depth) - 1

    def __repr__(self) -> str:
        return f"Planes({self.width}x{self.height}, {self.bit_depth} bit)"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a camera reports of one frame's exposure."""

    time_us: float
    """Exposure time in microseconds."""
    gain: float = 1.0
    """Linear sensor gain, 1 = base."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One captured frame."""

    index: int
    """Position in the stream as captured, from 0; never reused."""
    planes: Planes
    pts: int
    """Presentation time in ``time_base`` units."""
    time_base: Fraction
    """Seconds per unit of ``pts``."""
    duration: int = 0
    """In ``time_base`` units; 0 when the source does not say."""
    captured_ns: int = 0
    """Wall clock (time.time_ns) when the frame was read."""
    color: ColorTags = ColorTags()
    exposure: Exposure | None = None
    """None when the source does not tell."""
    tremor_stops: float = 0.0
    """By how much more it is exposed than other frames of its exposure, where pairing has seen that."""


@dataclass(frozen=True, slots=True, eq=False)
class ExposurePair:
    """A frame and its nearest neighbour of the other exposure."""

    reference: Frame
    """The frame the fused picture is made for."""
    neighbour: Frame
    reference_is_under: bool
    ratio_stops: float
    """log2 of over's exposure over under's, positive."""

    @property
    def index(self) -> int:
        """The reference's index."""
        return self.reference.index


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """Under and over on the reference's pixel grid, at the reference's time."""

    pair: ExposurePair
    under: Planes
    over: Planes
    confidence: npt.NDArray[np.float32]
    """(h, w) in [0, 1], any size with the picture's aspect: 0 = the neighbour was not trusted here and its
    content was replaced by the reference's, brought to the neighbour's exposure."""

    @property
    def index(self) -> int:
        """The reference's index."""
        return self.pair.index


@dataclass(frozen=True, slots=True, eq=False)
class FusedFrame:
    """One finished picture with its account."""

    index: int
    """The reference's index."""
    planes: Planes
    pts: int
    time_base: Fraction
    duration: int
    color: ColorTags
    sources: tuple[int, int]
    """Indices of the under and the over frame."""
    ratio_stops: float | None
    """log2 of over's exposure over under's; None when unknown."""
    captured_ns: int
    """When the reference was read."""
    fused_ns: int
    """When fusion finished (time.time_ns)."""
    aligned: AlignedPair | None = None
    """What it was fused from; None for a picture that comes from elsewhere."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says of its stream before the first frame; every stage may refine it for the next."""

    width: int
    """Of the coded picture: ``rotation_deg`` is a tag, pixels are not turned."""
    height: int
    bit_depth: int
    time_base: Fraction
    frame_rate: Fraction | None = None
    """Average frames per second; None when unknown."""
    frame_count: int | None = None
    """Estimate for a progress bar; None for a live source."""
    color: ColorTags = ColorTags()
    sample_aspect_ratio: Fraction = Fraction(1)
    rotation_deg: int = 0
    """What a player must turn the picture by, counter-clockwise: 0, 90, 180 or 270."""
    container: str | None = None
    """Path or URL to open again for audio, subtitles, chapters and metadata; None when there is none."""
    video_stream: int | None = None
    """Index of this video among the container's streams."""
    pictures: tuple[Path, ...] = ()
    """The files of a sequence of pictures, which no output may replace; empty for any other source."""
    name: str = ""
    """For messages: the file's name, the camera's name."""
