"""What LCNDR is trained to do.

Structure: MEF-SSIM against the noise-free sources, so that kept noise costs. Edges: the stronger gradient of the two
sources at every pixel, with its sign. Preservation: the share of the sources' edges, by strength and direction, that is
not found in the result. Tones: no pixel pushed to black or white that either source resolves. Balance: areas about as
bright as in the source that is exposed better there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.mef_ssim import MefSsim

_SAFE_LOW, _SAFE_HIGH = 8 / 255, 247 / 255
_WELL_EXPOSED_SIGMA = 0.2
_AREA = 16
"""Pixels of an area's side."""
_LEAST_ENERGY = 1e-6
_LARGEST_COSINE = 1 - 1e-4


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each part counts."""

    structure: float = 1.0
    edges: float = 1.0
    preservation: float = 0.35
    tones: float = 8.0
    balance: float = 0.05


@dataclass(frozen=True, slots=True)
class Loss:
    """The parts, each a scalar, unweighted, and their weighted sum."""

    total: Tensor
    structure: Tensor
    edges: Tensor
    preservation: Tensor
    tones: Tensor
    balance: Tensor


def fusion_loss(fused: Tensor, clean_under: Tensor, clean_over: Tensor, weights: LossWeights) -> Loss:
    """Loss of fused luma against the noise-free sources, all (B, 1, H, W) in [0, 1]."""
    structure = 1 - MefSsim(torch.cat([clean_under, clean_over], dim=1))(fused).mean()
    edges = sum(
        (F.l1_loss(_difference(fused, axis), _stronger(clean_under, clean_over, axis)) for axis in (-2, -1)),
        start=torch.zeros((), device=fused.device),
    )
    preservation = 1 - _preserved(fused, clean_under, clean_over)
    lost_shadow = F.relu(_SAFE_LOW - fused) * (clean_over > _SAFE_LOW)
    lost_light = F.relu(fused - _SAFE_HIGH) * (clean_under < _SAFE_HIGH)
    tones = (lost_shadow + lost_light).mean()
    balance = F.l1_loss(F.avg_pool2d(fused, _AREA), _well_exposed(clean_under, clean_over))
    total = (
        weights.structure * structure
        + weights.edges * edges
        + weights.preservation * preservation
        + weights.tones * tones
        + weights.balance * balance
    )
    return Loss(total, structure, edges, preservation, tones, balance)


def _difference(picture: Tensor, axis: int) -> Tensor:
    """Forward differences along an axis."""
    return picture.narrow(axis, 1, picture.shape[axis] - 1) - picture.narrow(axis, 0, picture.shape[axis] - 1)


def _stronger(first: Tensor, second: Tensor, axis: int) -> Tensor:
    """Of two pictures' differences, the one of larger magnitude at every pixel."""
    of_first, of_second = _difference(first, axis), _difference(second, axis)
    return torch.where(of_first.abs() > of_second.abs(), of_first, of_second)


def _preserved(fused: Tensor, *sources: Tensor) -> Tensor:
    """Q^AB/F, a scalar: C. S. Xydeas, V. Petrovic, "Objective image fusion performance measure", 2000.

    Smoothed where its gradient would have no bound: where there is no edge, and where two edges point the same way.
    """
    across, down, strength = _sobel(fused)
    preserved = present = torch.zeros(())
    for source in sources:
        source_across, source_down, source_strength = _sobel(source)
        ratio = torch.minimum(strength, source_strength) / torch.maximum(strength, source_strength)
        cosine = (across * source_across + down * source_down).abs() / (strength * source_strength)
        parallel = 1 - torch.acos(cosine.clamp(max=_LARGEST_COSINE)) * (2 / math.pi)
        kept = 0.9994 * torch.sigmoid(15 * (ratio - 0.5)) * 0.9879 * torch.sigmoid(22 * (parallel - 0.8))
        preserved = preserved + (kept * source_strength).sum()
        present = present + source_strength.sum()
    return preserved / present


def _sobel(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient across, down, and its magnitude, at every pixel but the outermost."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=picture.device)
    across, down = F.conv2d(picture, torch.stack([kernel, kernel.T])[:, None]).split(1, dim=1)
    return across, down, torch.sqrt(across.square() + down.square() + _LEAST_ENERGY)


def _well_exposed(*sources: Tensor) -> Tensor:
    """Areas' means, weighted by how near each is to middle grey: a Gaussian as in Mertens et al. 2007."""
    means = torch.cat([F.avg_pool2d(source, _AREA) for source in sources], dim=1)
    weights = torch.exp(-((means - 0.5) ** 2) / (2 * _WELL_EXPOSED_SIGMA**2))
    return (weights * means).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
