"""Laplacian pyramids (Burt and Adelson, 1983) down to the last few pixels, differentiable, any size.

The filter pair is (1 3 3 1)/8 down and its transpose, bilinear interpolation, up: symmetric about pixel edges,
so that level ``l`` of a picture is itself a picture sampled at the centres of blocks of 2^l pixels and can be
brought to another size by plain interpolation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_SIDE = 4
"""Halving stops before the shorter side would fall below this many pixels."""


def reduce(picture: Tensor) -> Tensor:
    """Half the size, rounded up, low-passed; (B, C, H, W) -> (B, C, ceil(H/2), ceil(W/2))."""
    batch, channels, height, width = picture.shape
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=picture.dtype, device=picture.device) / 8
    kernel = torch.outer(taps, taps).view(1, 1, 4, 4)
    padded = F.pad(
        picture.reshape(batch * channels, 1, height, width),
        (1, 1 + width % 2, 1, 1 + height % 2),
        mode="replicate",
    )
    return F.conv2d(padded, kernel, stride=2).view(batch, channels, -(-height // 2), -(-width // 2))


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
