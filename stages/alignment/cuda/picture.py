"""A picture on the device while it is worked on: code values as whole numbers in single precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.device.planes import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Luma (H, W) and chroma (2, h, w)."""

    luma: Tensor
    chroma: Tensor

    @classmethod
    def of(cls, codes: Tensor, layout: Layout) -> Picture:
        """From code values as they lie in memory."""
        luma, chroma = layout.split(codes)
        return cls(luma.float(), chroma.float())

    def write(self, codes: Tensor, layout: Layout) -> None:
        """As they are to lie in memory."""
        luma, chroma = layout.split(codes)
        luma.copy_(self.luma)
        chroma.copy_(self.chroma)


def rounded(values: Tensor) -> Tensor:
    """To whole numbers, a half upwards; changes the values given."""
    return values.add_(0.5).floor_()


def lookup(codes: Tensor, table: Tensor) -> Tensor:
    """The entry of a table for each code value."""
    return table.index_select(0, codes.flatten().int()).view(codes.shape)


def mean_luma(luma: Tensor) -> Tensor:
    """Of the pixels that share a colour difference: (ceil(H / 2), ceil(W / 2)), whole numbers."""
    height, width = luma.shape
    even = F.pad(luma[None, None], (0, width % 2, 0, height % 2), mode="replicate")[0, 0]
    rows = even[0::2] + even[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]).add_(2).mul_(0.25).floor_()


def enlarged(image: Tensor, height: int, width: int) -> Tensor:
    """(channels, height, width) of (channels, h, w), bilinear."""
    if image.shape[1:] == (height, width):
        return image
    return F.interpolate(image[None], size=(height, width), mode="bilinear", align_corners=False)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What is kept of a picture, in [0, 1], at the sizes of luma (H, W) and of chroma (h, w)."""

    luma: Tensor
    chroma: Tensor

    @classmethod
    def of(cls, small: Tensor, layout: Layout) -> Weights:
        """From a map (h, w) in 0 to 255, whole numbers of any type."""
        values = small.float()[None]
        half = -(-layout.height // 2), -(-layout.width // 2)
        full, chroma = (enlarged(values, *size)[0] for size in ((layout.height, layout.width), half))
        return cls(full.round() / 255, chroma.round() / 255)


def laid_over(picture: Tensor, other: Tensor, kept: Tensor) -> Tensor:
    """What is kept of a picture, the rest from another, in code values."""
    return rounded(torch.addcmul(other, kept, picture - other))
