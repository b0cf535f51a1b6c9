"""Chroma follows luma: the same mixture of under and over, corrected for what clipping and darkness did to colour.

Each exposure's chroma is scaled as its luma was on the way to the fused one, which keeps hue and saturation (R'G'B'
times r is Y'CbCr times r). An exposure in which a colour channel is clipped, or which is too dark to tell colour from
noise, yields to the other; so a lamp keeps the under picture's colour.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 9
"""Pixels at chroma resolution over which luma's mixture is measured."""
_CLIP_FROM, _CLIP_TO = 0.90, 0.98
"""Largest of R'G'B' between which chroma loses its credit."""
_DARK_FROM, _DARK_TO = 0.02, 0.10
"""Luma between which chroma gains its credit."""
_LEAST_GAIN, _MOST_GAIN = 0.5, 1.8
_LEAST_CREDIT = 1e-3


def fuse_chroma(
    under_luma: Tensor,
    over_luma: Tensor,
    fused_luma: Tensor,
    under_chroma: Tensor,
    over_chroma: Tensor,
    luma_coefficients: tuple[float, float],
) -> Tensor:
    """Chroma of the fused picture.

    Args:
        under_luma: (B, 1, H, W), 0 = black, 1 = white.
        over_luma: the same.
        fused_luma: the same.
        under_chroma: (B, 2, ceil(H/2), ceil(W/2)), Cb and Cr in [-0.5, 0.5].
        over_chroma: the same.
        luma_coefficients: (K_R, K_B).

    Returns:
        (B, 2, ceil(H/2), ceil(W/2)) in [-0.5, 0.5].
    """
    under, over, fused = (_halve(luma) for luma in (under_luma, over_luma, fused_luma))
    share = _mixture(under, over, fused)
    of_over = share * _unclipped(over, over_chroma, luma_coefficients) * _lit(over) + _LEAST_CREDIT * share
    of_under = (1 - share) * _unclipped(under, under_chroma, luma_coefficients) * _lit(under) + _LEAST_CREDIT * (
        1 - share
    )
    weight = (of_over + 1e-6) / (of_over + of_under + 2e-6)
    mixed = weight * _gain(fused, over) * over_chroma + (1 - weight) * _gain(fused, under) * under_chroma
    return mixed.clamp(-0.5, 0.5)


def _halve(luma: Tensor) -> Tensor:
    """Luma at chroma resolution."""
    return F.avg_pool2d(F.pad(luma, (0, luma.shape[-1] % 2, 0, luma.shape[-2] % 2), mode="replicate"), 2)


def _mean(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)


def _mixture(under: Tensor, over: Tensor, fused: Tensor) -> Tensor:
    """Over's share of the fused luma: the least-squares fit of fused = under + share * (over - under) nearby."""
    gap = over - under
    share = (_mean((fused - under) * gap) + 5e-5) / (_mean(gap * gap) + 1e-4)
    return share.clamp(0, 1)


def _unclipped(luma: Tensor, chroma: Tensor, luma_coefficients: tuple[float, float]) -> Tensor:
    """1 where no colour channel is near white, 0 where one is clipped."""
    kr, kb = luma_coefficients
    cb, cr = chroma[:, :1], chroma[:, 1:]
    red = 2 * (1 - kr) * cr
    blue = 2 * (1 - kb) * cb
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    brightest = luma + torch.maximum(torch.maximum(red, blue), green)
    return 1 - _ramp(brightest, _CLIP_FROM, _CLIP_TO)


def _lit(luma: Tensor) -> Tensor:
    """0 in the dark, 1 where there is light enough to tell colour."""
    return _ramp(luma, _DARK_FROM, _DARK_TO)


def _ramp(values: Tensor, start: float, stop: float) -> Tensor:
    """Smooth step from 0 at ``start`` to 1 at ``stop``."""
    position = ((values - start) / (stop - start)).clamp(0, 1)
    return position * position * (3 - 2 * position)


def _gain(fused: Tensor, source: Tensor) -> Tensor:
    """What the source's luma was multiplied by, within limits that keep noise down."""
    return ((fused.clamp_min(0) + 0.02) / (source.clamp_min(0) + 0.02)).clamp(_LEAST_GAIN, _MOST_GAIN)
