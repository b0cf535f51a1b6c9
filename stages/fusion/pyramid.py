"""Laplacian pyramids (Burt and Adelson, 1983) down to the last few pixels, differentiable, any size.

The filter pair is (1 3 3 1)/8 down and its transpose, bilinear interpolation, up: symmetric about pixel edges,
so that level ``l`` of a picture is itself a picture sampled at the centres of blocks of 2^l pixels and can be
brought to another size by plain interpolation.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SMALLEST_SIDE = 4
"""Halving stops before the shorter side would fall below this many pixels."""


def reduce(picture: Tensor) -> Tensor:
    """Half the size, rounded up, low-passed; (B, C, H, W) -> (B, C, ceil(H/2), ceil(W/2))."""
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
    rows = 3 * (padded[..., 1:-1:2, :] + padded[..., 2::2, :]) + padded[..., :-2:2, :] + padded[..., 3::2, :]
    return (3 * (rows[..., 1:-1:2] + rows[..., 2::2]) + rows[..., :-2:2] + rows[..., 3::2]) / 64


def expand(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a level back to the ``size`` (height, width) it was reduced from."""
    even = (picture.shape[-2] * 2, picture.shape[-1] * 2)
    grown = F.interpolate(picture, size=even, mode="bilinear", align_corners=False)
    return grown[..., : size[0], : size[1]]


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(height, width) of every level, finest first."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * SMALLEST_SIDE:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes
