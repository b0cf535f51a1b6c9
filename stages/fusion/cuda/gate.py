"""Whether half precision is good enough here, found out by trying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stages.frame import PixelArray, Planes

MEAN_LIMIT: Final = 1.0
MAX_LIMIT: Final = 4.0
"""How far two ways to fuse a pair may be apart, in 255ths of the code values' range."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two pictures are apart, luma and chroma, in 255ths of the code values' range."""

    mean: float
    max: float

    @classmethod
    def between(cls, one: Planes, other: Planes) -> Difference:
        """Of two pictures of one size and depth."""
        unit = one.max_value / 255
        luma, chroma = (
            np.abs(first.astype(np.int32) - second).ravel()
            for first, second in ((one.luma, other.luma), (one.chroma, other.chroma))
        )
        total = int(luma.sum()) + int(chroma.sum())
        largest = max(int(luma.max()), int(chroma.max()))
        return cls(total / (luma.size + chroma.size) / unit, largest / unit)

    @property
    def is_small(self) -> bool:
        """Whether both stay within the limits."""
        return self.mean <= MEAN_LIMIT and self.max <= MAX_LIMIT


def synthetic_pair(width: int, height: int, *, bit_depth: int = 10) -> tuple[Planes, Planes]:
    """A slope of brightness with blocks, edges and grain on it, three stops apart, in limited range."""
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.uniform(-2, 2, (height // 16 + 1, width // 16 + 1)), np.ones((16, 16)))[:height, :width]
    light = np.exp2(np.linspace(-4, 4, width) + blocks + rng.normal(0, 0.1, (height, width)))
    half = (-(-height // 2), -(-width // 2))
    tint = np.kron(rng.uniform(-0.2, 0.2, (2, half[0] // 16 + 1, half[1] // 16 + 1)), np.ones((1, 16, 16)))
    unit = 1 << (bit_depth - 8)

    def codes(values: npt.NDArray[np.float64]) -> PixelArray:
        rounded = np.rint(values * unit)
        return rounded.astype(np.uint8) if bit_depth == 8 else rounded.astype(np.uint16)

    def exposed(stops: float) -> Planes:
        luma = np.clip(light * 2**stops / 2, 0, 1) ** (1 / 2.2)
        chroma = tint[:, : half[0], : half[1]] * luma[::2, ::2]
        return Planes(codes(16 + 219 * luma), codes(128 + 224 * chroma), bit_depth)

    return exposed(-1.5), exposed(1.5)
