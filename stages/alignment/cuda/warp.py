"""Pictures moved along a displacement field: ``stages.alignment.warp`` on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.alignment.cuda.picture import Picture, Weights, enlarged, laid_over, rounded
from stages.alignment.grain import STILL_PX
from stages.device.planes import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Displacements:
    """Where to look, relative to each pixel; as they were sent."""

    codes: Tensor
    """(h, w, 2) int16 as (x, y)."""
    unit_px: float
    """Of a code, in pixels of their own size."""

    def pixels(self) -> Tensor:
        """(h, w, 2)."""
        return self.codes.float() * self.unit_px


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Where each pixel comes from, as ``grid_sample`` takes it."""

    luma: Tensor
    """(1, H, W, 2)"""
    chroma: Tensor
    """(1, h, w, 2)"""

    @classmethod
    def of(cls, flow: Displacements, layout: Layout) -> Field:
        """Of displacements at the working size."""
        scale = layout.width / flow.codes.shape[1]
        moved = enlarged(flow.pixels().permute(2, 0, 1), layout.height, layout.width) * scale
        return cls(_grid(moved), _grid(moved[:, ::2, ::2] * 0.5))


def stillness(flow: Displacements, width: int) -> Tensor:
    """(h, w) in [0, 1]: 1 where a warp along the flow, at a full width, takes nothing of the sharpness."""
    sharp_px, blurred_px = (float(px) for px in STILL_PX)
    moved_px = flow.pixels().square().sum(2).sqrt() * (width / flow.codes.shape[1])
    return ((blurred_px - moved_px) / (blurred_px - sharp_px)).clamp(0, 1)


def warped(pictures: Sequence[Picture], field: Field | None, top: int) -> list[Picture]:
    """Pictures along a field; the same where nothing moves."""
    if field is None:
        return list(pictures)
    luma = _sampled(torch.stack([picture.luma for picture in pictures]), field.luma, "bicubic", top)
    chroma = _sampled(torch.cat([picture.chroma for picture in pictures]), field.chroma, "bilinear", top)
    pairs = zip(luma, chroma.unflatten(0, (-1, 2)), strict=True)
    return [Picture(rounded(each), rounded(both)) for each, both in pairs]


def warped_over(picture: Picture, other: Picture, field: Field | None, kept: Weights, top: int) -> Picture:
    """Keeps of a picture what the weights say and lays another, moved along a field, over it by the rest."""
    luma, chroma = other.luma, other.chroma
    if field is not None:
        luma = _sampled(luma[None], field.luma, "bicubic", top)[0]
        chroma = _sampled(chroma, field.chroma, "bilinear", top)
    return Picture(laid_over(picture.luma, luma, kept.luma), laid_over(picture.chroma, chroma, kept.chroma))


def _sampled(planes: Tensor, grid: Tensor, mode: str, top: int) -> Tensor:
    """(channels, h, w) between the code values, within their range; the border is repeated outwards."""
    moved = F.grid_sample(planes[None], grid, mode=mode, padding_mode="border", align_corners=False)
    return moved[0].clamp_(0, top)


def _grid(moved: Tensor) -> Tensor:
    """Each pixel's place plus its displacement (2, h, w) in pixels; -1 and 1 are the picture's edges."""
    height, width = moved.shape[1:]
    x, y = (torch.arange(count, device=moved.device, dtype=torch.float32) for count in (width, height))
    across = (2 * (moved[0] + x) + 1) / width - 1
    down = (2 * (moved[1] + y[:, None]) + 1) / height - 1
    return torch.stack([across, down], dim=-1)[None]
