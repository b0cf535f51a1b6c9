"""MEF-SSIM: how much of the sources' structure a fused picture keeps, without a ground truth.

K. Ma, K. Zeng, Z. Wang, "Perceptual Quality Assessment for Multi-Exposure Image Fusion", IEEE TIP 24(11), 2015;
three scales, luma. The published form builds for every 11 x 11 patch the patch that a perfect fusion would hold.
Here the same numbers come from local covariances alone, so that it runs as convolutions and has a gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 11
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001)
"""Exponents of the scales, finest first; normalised to sum 1 where they are used."""
SMALLEST_SIDE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Pictures must be at least this many pixels wide and high."""

_K = 0.03
_GAUSSIAN_SIGMA = 1.5
_STABILITY = 0.001 / 255


@dataclass(frozen=True, slots=True)
class _Sources:
    """What one scale of the sources says of the ideal fused patch around every pixel."""

    pictures: Tensor
    """(B, K, H, W) in [0, 1]."""
    means: Tensor
    """(B, K, h, w) Gaussian local means."""
    coefficients: Tensor
    """(B, K, h, w): the ideal patch is the sum of the mean-removed source patches times these."""
    ideal_variance: Tensor
    """(B, 1, h, w) of the ideal patch under the Gaussian window."""


class MefSsim:
    """MEF-SSIM of fused pictures against one set of sources; the sources are analysed once.

    All is reckoned in double precision: of flat patches, single precision leaves variances that are rounding alone, and
    what is divided by them may be anything.

    Args:
        sources: (B, K, H, W) luma in [0, 1], K exposures of each of B scenes, at least 44 x 44; of any precision.

    Raises:
        ValueError: the pictures are smaller than three scales allow.
    """

    def __init__(self, sources: Tensor) -> None:
        if min(sources.shape[-2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"MEF-SSIM needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, got {tuple(sources.shape)}"
            )
        self._scales: list[_Sources] = []
        sources = sources.double()
        with torch.no_grad():
            for _ in SCALE_WEIGHTS:
                self._scales.append(_analyse(sources))
                sources = _halve(sources)

    def __call__(self, fused: Tensor) -> Tensor:
        """Scores (B,), 1 = every structure kept, of fused luma (B, 1, H, W) in [0, 1]; of the precision given."""
        total = sum(SCALE_WEIGHTS)
        precision, fused = fused.dtype, fused.double()
        score = torch.ones(fused.shape[0], dtype=fused.dtype, device=fused.device)
        for sources, weight in zip(self._scales, SCALE_WEIGHTS, strict=True):
            quality = _quality_map(sources, fused).mean(dim=(1, 2, 3))
            score = score * quality.clamp_min(1e-4) ** (weight / total)
            fused = _halve(fused)
        return score.to(precision)


def _halve(pictures: Tensor) -> Tensor:
    """2 x 2 means, edges repeated: the down-sampling between scales."""
    height, width = pictures.shape[-2:]
    if height % 2 or width % 2:
        pictures = F.pad(pictures, (0, width % 2, 0, height % 2), mode="replicate")
    return F.avg_pool2d(pictures, 2)


def _uniform_mean(pictures: Tensor) -> Tensor:
    """Means over 11 x 11 pixels, valid positions only."""
    return F.avg_pool2d(pictures, WINDOW, stride=1)


def _gaussian_mean(pictures: Tensor) -> Tensor:
    """Means under an 11 x 11 Gaussian window, valid positions only."""
    batch, channels, height, width = pictures.shape
    offsets = torch.arange(WINDOW, dtype=pictures.dtype, device=pictures.device) - WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * _GAUSSIAN_SIGMA**2))
    taps = taps / taps.sum()
    flat = pictures.reshape(batch * channels, 1, height, width)
    flat = F.conv2d(F.conv2d(flat, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return flat.view(batch, channels, *flat.shape[-2:])


def _products(pictures: Tensor) -> Tensor:
    """All products of two exposures: (B, K, H, W) -> (B, K * K, H, W)."""
    batch, exposures, height, width = pictures.shape
    return (pictures[:, :, None] * pictures[:, None]).reshape(batch, exposures * exposures, height, width)


def _as_matrix(products: Tensor) -> Tensor:
    """(B, K * K, h, w) -> (B, K, K, h, w)."""
    exposures = math.isqrt(products.shape[1])
    return products.view(products.shape[0], exposures, exposures, *products.shape[2:])


def _analyse(pictures: Tensor) -> _Sources:
    # Local covariances lose digits where the mean is far from 0.
    pictures = pictures - 0.5
    uniform_mean = _uniform_mean(pictures)
    covariance = _uniform_mean(_products(pictures)) - _products(uniform_mean)
    # Sums over the patch, as the paper's Euclidean norms are, in units of the full range.
    covariance = _as_matrix(WINDOW**2 * covariance)
    energy = covariance.diagonal(dim1=1, dim2=2).movedim(-1, 1).clamp_min(0).sqrt()
    contrast = energy + _STABILITY
    tiny = torch.finfo(pictures.dtype).eps
    consistency = (covariance.sum(dim=(1, 2)).clamp_min(0).sqrt()[:, None] + tiny) / (
        energy.sum(dim=1, keepdim=True) + tiny
    )
    power = torch.tan(torch.pi / 2 * consistency.clamp(0, 1 - tiny)).clamp_max(10)
    # The paper's powers are taken of contrasts on a scale of 255 over the window's side.
    weights = (contrast * 255 / WINDOW) ** power + tiny
    per_source = weights / weights.sum(dim=1, keepdim=True) / contrast
    norm = torch.einsum("bihw,bijhw,bjhw->bhw", per_source, covariance, per_source).clamp_min(0).sqrt()[:, None]
    gain = torch.where(norm > 0, contrast.amax(dim=1, keepdim=True) / norm.clamp_min(tiny), 1.0)
    coefficients = per_source * gain
    means = _gaussian_mean(pictures)
    gaussian = _as_matrix(_gaussian_mean(_products(pictures)) - _products(means))
    ideal_variance = torch.einsum("bihw,bijhw,bjhw->bhw", coefficients, gaussian, coefficients)[:, None]
    return _Sources(pictures, means, coefficients, ideal_variance.clamp_min(0))


def _quality_map(sources: _Sources, fused: Tensor) -> Tensor:
    """Equation (15) of the paper: the structural similarity of every fused patch with the ideal one."""
    fused = fused - 0.5
    mean = _gaussian_mean(fused)
    variance = _gaussian_mean(fused * fused) - mean * mean
    with_sources = _gaussian_mean(sources.pictures * fused) - sources.means * mean
    shared = (sources.coefficients * with_sources).sum(dim=1, keepdim=True)
    constant = _K**2
    quality: Tensor = (2 * shared + constant) / (sources.ideal_variance + variance.clamp_min(0) + constant)
    return quality
