"""Chroma of the fused picture: that of the better exposed picture, place by place.

Each exposure counts as much as its luma is near middle grey (the well-exposedness of Mertens, Kautz, Van Reeth,
"Exposure Fusion", 2007), less where one of its colour channels is clipped: a lamp that is orange in the under picture
and pink in the over one stays orange.

Where fusion made a place darker or brighter than the exposures so averaged, chroma becomes less or more with it, and
colours look as vivid as before. CIELAB (CIE 15) says by how much: a* = 500 (f(X) - f(Y)), f being the cube root of
linear light, of which R'G'B' are about the 2.2th root. So small differences of R'G'B' at a luma Y' count
Y'^(2.2 / 3 - 1) as much, and chroma has to go with Y'^0.27, here the fourth root. It rises by a fifth at most: no
colour noise is lifted from the shadows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA = 0.2
"""Of well-exposedness."""
CLIP_FROM, CLIP_TO = 0.94, 1.0
"""Largest of R'G'B' between which chroma loses its credit."""
CLIPPED_CREDIT = 0.3
LEAST_CREDIT = 1e-4
"""Where both are black or white, their mean."""
LEAST_LUMA = 0.05
"""Added to lumas whose ratio is taken: near black it is noise."""
MOST_VIVID = 1.2
"""Times the chroma of the exposures."""
_WINDOW = 5
"""Pixels at chroma resolution over which the weights are smoothed."""


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
    under_luma, over_luma, fused_luma = (_halve(luma) for luma in (under_luma, over_luma, fused_luma))
    of_under = _credit(under_luma, under_chroma, luma_coefficients)
    of_over = _credit(over_luma, over_chroma, luma_coefficients)
    share = _mean(of_over / (of_under + of_over))
    averaged_luma = under_luma + share * (over_luma - under_luma)
    averaged_chroma = under_chroma + share * (over_chroma - under_chroma)
    return (_vividness(averaged_luma, fused_luma) * averaged_chroma).clamp(-0.5, 0.5)


def _vividness(averaged_luma: Tensor, fused_luma: Tensor) -> Tensor:
    """Times which chroma goes from one luma to another and looks the same."""
    ratio = (fused_luma.clamp_min(0) + LEAST_LUMA) / (averaged_luma.clamp_min(0) + LEAST_LUMA)
    return ratio.sqrt().sqrt().clamp(max=MOST_VIVID)


def _credit(luma: Tensor, chroma: Tensor, luma_coefficients: tuple[float, float]) -> Tensor:
    """How much an exposure is believed to know of colour, over 0."""
    well_exposed = torch.exp((luma - 0.5).square() / (-2 * SIGMA**2))
    unclipped = _unclipped(luma, chroma, luma_coefficients)
    return well_exposed * (CLIPPED_CREDIT + (1 - CLIPPED_CREDIT) * unclipped) + LEAST_CREDIT


def _halve(luma: Tensor) -> Tensor:
    """Luma at chroma resolution."""
    if luma.shape[-1] % 2 or luma.shape[-2] % 2:
        luma = F.pad(luma, (0, luma.shape[-1] % 2, 0, luma.shape[-2] % 2), mode="replicate")
    rows = luma[..., 0::2, :] + luma[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]) / 4


def _mean(picture: Tensor) -> Tensor:
    """Means over the window; the border counts its own pixels only."""
    height, width = picture.shape[-2:]
    rows = _window_sums(picture, -2) / _window_sums(torch.ones(height, 1, device=picture.device), -2)
    return _window_sums(rows, -1) / _window_sums(torch.ones(1, width, device=picture.device), -1)


def _window_sums(values: Tensor, dim: int) -> Tensor:
    """Sums over the window along one dimension. Measured: a third of what ``avg_pool2d`` takes on a CPU."""
    count = values.shape[dim]
    sums = values.clone()
    for offset in range(1, min(_WINDOW // 2, count - 1) + 1):
        sums.narrow(dim, offset, count - offset).add_(values.narrow(dim, 0, count - offset))
        sums.narrow(dim, 0, count - offset).add_(values.narrow(dim, offset, count - offset))
    return sums


def _unclipped(luma: Tensor, chroma: Tensor, luma_coefficients: tuple[float, float]) -> Tensor:
    """1 where no colour channel is near white, 0 where one is clipped."""
    kr, kb = luma_coefficients
    cb, cr = chroma[:, :1], chroma[:, 1:]
    red = 2 * (1 - kr) * cr
    blue = 2 * (1 - kb) * cb
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    brightest = luma + torch.maximum(torch.maximum(red, blue), green)
    return 1 - _ramp(brightest, CLIP_FROM, CLIP_TO)


def _ramp(values: Tensor, start: float, stop: float) -> Tensor:
    """Smooth step from 0 at ``start`` to 1 at ``stop``."""
    position = ((values - start) / (stop - start)).clamp(0, 1)
    return position * position * (3 - 2 * position)
