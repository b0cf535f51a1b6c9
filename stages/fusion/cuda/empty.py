"""Exposures that show nothing, replaced by the other on the device: what ``stages.fusion.empty`` does on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.fusion.codes import CodeValues
from stages.fusion.empty import AREA_PX, ENOUGH, MARGIN


def own_shares(luma: Tensor, codes: CodeValues) -> Tensor:
    """How much of under and of over is its own, (2,) in [0, 1]; the rest is to be the other's.

    Args:
        luma: (2, H, W) code values.
        codes: what they mean.
    """
    width = luma.shape[2]
    side = min(AREA_PX, width)
    areas = luma[:, ::AREA_PX, : width // side * side].float().unflatten(2, (-1, side)).mean(dim=3)
    margin = MARGIN * codes.luma_span
    seen = (areas > codes.black + margin) & (areas < codes.black + codes.luma_span - margin)
    shown = (seen.float().mean(dim=(1, 2)) / ENOUGH).clamp(max=1)
    # Two that show as little are left as they are.
    return torch.where(shown == shown.flip(0), torch.ones_like(shown), shown)


def with_shares(pictures: Tensor, shares: Tensor) -> Tensor:
    """Pictures (2, ...), of which each keeps its share and takes the rest from the other."""
    weights = shares.to(pictures.dtype).view(2, *[1] * (pictures.dim() - 1))
    return torch.lerp(pictures.flip(0), pictures, weights)
