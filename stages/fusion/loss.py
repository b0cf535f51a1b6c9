"""What LCNDR is trained to do.

Structure: MEF-SSIM against the noise-free sources, so that kept noise costs. Edges: the stronger gradient of the two
sources at every pixel, with its sign. Tones: no pixel pushed to black or white that either source resolves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.mef_ssim import MefSsim

_SAFE_LOW, _SAFE_HIGH = 8 / 255, 247 / 255


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each part counts."""

    structure: float = 1.0
    edges: float = 1.0
    tones: float = 4.0


@dataclass(frozen=True, slots=True)
class Loss:
    """The parts, each a scalar, unweighted, and their weighted sum."""

    total: Tensor
    structure: Tensor
    edges: Tensor
    tones: Tensor


def fusion_loss(fused: Tensor, clean_under: Tensor, clean_over: Tensor, weights: LossWeights) -> Loss:
    """Loss of fused luma against the noise-free sources, all (B, 1, H, W) in [0, 1]."""
    structure = 1 - MefSsim(torch.cat([clean_under, clean_over], dim=1))(fused).mean()
    edges = sum(
        (F.l1_loss(_difference(fused, axis), _stronger(clean_under, clean_over, axis)) for axis in (-2, -1)),
        start=torch.zeros((), device=fused.device),
    )
    lost_shadow = F.relu(_SAFE_LOW - fused) * (clean_over > _SAFE_LOW)
    lost_light = F.relu(fused - _SAFE_HIGH) * (clean_under < _SAFE_HIGH)
    tones = (lost_shadow + lost_light).mean()
    total = weights.structure * structure + weights.edges * edges + weights.tones * tones
    return Loss(total, structure, edges, tones)


def _difference(picture: Tensor, axis: int) -> Tensor:
    """Forward differences along an axis."""
    return picture.narrow(axis, 1, picture.shape[axis] - 1) - picture.narrow(axis, 0, picture.shape[axis] - 1)


def _stronger(first: Tensor, second: Tensor, axis: int) -> Tensor:
    """Of two pictures' differences, the one of larger magnitude at every pixel."""
    of_first, of_second = _difference(first, axis), _difference(second, axis)
    return torch.where(of_first.abs() > of_second.abs(), of_first, of_second)
