"""The blend's picture taken closer to the ideal patches of MEF-SSIM (reconstruction: see ``stages.fusion.lcndr``).

K. Ma, K. Zeng, Z. Wang, "Perceptual Quality Assessment for Multi-Exposure Image Fusion", IEEE TIP 24(11), 2015, say
what a patch should hold: the structures of both exposures, the stronger one more, at the stronger one's contrast.
Patches overlap and cannot all be ideal. K. Ma, Z. Duanmu, H. Yeganeh, Z. Wang, "Multi-Exposure Image Fusion by
Optimizing A Structural Similarity Index", IEEE TCI 4(1), 2018, climb the index's gradient from any picture, many steps
far. Here it is a few steps from the blend, at every level of its pyramid, of a quadratic that stands for the index.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REVISED_LEVELS: Final = 5
"""Levels from the finest down to the last that is revised, at most."""
STEPS: Final = 8
FINEST_STEPS: Final = 3
"""At the finest level, where a step costs most and MEF-SSIM sees least."""
MOMENTUM: Final = 0.5
"""Of each step in the next (Polyak's heavy ball): as close in half as many steps."""
LARGEST_STEP: Final = 1.9
"""From 2 on, steps overshoot more than they gain."""
TAPS: Final = (0.03663285, 0.11128076, 0.21674533, 0.27068213, 0.21674533, 0.11128076, 0.03663285)
"""Of the window, both ways: a Gaussian of 1.5 pixels."""
STRONGEST_POWER: Final = 10.0
"""As in MEF-SSIM."""
MOST_CONSISTENT: Final = 0.999
"""Squared: keeps the power finite."""
LEAST_VARIANCE: Final = 1e-9
"""Of luma in [0, 1]: keeps logarithms and quotients of flat patches finite."""
LEAST_SQUARED_NORM: Final = 0.01
"""Of a mixture of unit structures: the contrast of those that cancel is not restored beyond tenfold."""
SIMILARITY_CONSTANT: Final = 0.03**2
"""SSIM's, for luma in [0, 1]."""
_SMALLEST_SIDE = 8
"""Pixels; smaller levels stay as they are."""


class Pull(NamedTuple):
    """What draws a level's picture f: ``target`` - ``weight`` f + G(``share`` G f), G the averages over the window.

    All (B, 1, h, w).
    """

    target: Tensor
    weight: Tensor
    share: Tensor


class StructureRevision(nn.Module):
    """Steps towards the ideal patches at the finer levels.

    The patch around a pixel, less its mean, should be c_u times under's and c_o times over's, each less its mean (see
    ``ideal_patches``). With windows j of Gaussian weights G and fused f, a step goes along the negative gradient of

        sum_j w_j G_j | (f - mean_j f) - ideal_j |^2,    w = V / (V + noise) (C + masking) / (2 V + C + masking)

    with V = the ideal patch's variance and C = SSIM's constant: errors count less where there is much to see, as they
    do for SSIM, and less where there is nothing but noise.

    Args:
        levels: how many are revised, counted from the coarsest of ``REVISED_LEVELS``.
    """

    def __init__(self, levels: int = REVISED_LEVELS) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.full((levels,), 1.3))
        """Logits of shares of ``LARGEST_STEP``."""
        self.masking = nn.Parameter(torch.full((levels,), 1e-3).log())
        self.noise = nn.Parameter(torch.full((levels,), 2e-6).log())
        """Logarithms of variances of luma in [0, 1]."""

    @property
    def revised_from(self) -> int:
        """The finest level that is revised."""
        return REVISED_LEVELS - self.step.shape[0]

    def revises(self, level: int, height: int, width: int) -> bool:
        """Whether a level of so many pixels is changed at all."""
        return self.revised_from <= level < REVISED_LEVELS and min(height, width) >= _SMALLEST_SIDE

    def forward(self, level: int, fused: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """The fused picture of a level that is revised, closer to what both exposures show; all (B, 1, h, w)."""
        index = level - self.revised_from
        step = LARGEST_STEP * torch.sigmoid(self.step[index])
        # Variances of values far from 0 lose digits.
        under, over, revised = under - 0.5, over - 0.5, fused - 0.5
        pull = self._pull(index, under, over)
        taken = torch.zeros_like(revised)
        for _ in range(steps_at(level)):
            drawn = pull.target - pull.weight * revised + _window_mean(pull.share * _window_mean(revised))
            taken = MOMENTUM * taken + step * drawn
            revised = revised + taken
        return revised + 0.5

    def _pull(self, index: int, under: Tensor, over: Tensor) -> Pull:
        means = _window_mean(torch.cat([under, over], dim=1))
        squares = _window_mean(torch.cat([under * under, over * over, under * over], dim=1))
        mean_under, mean_over = means[:, :1], means[:, 1:]
        of_under, of_over, variance = ideal_patches(
            squares[:, :1] - mean_under * mean_under,
            squares[:, 1:2] - mean_over * mean_over,
            squares[:, 2:] - mean_under * mean_over,
        )
        masking = SIMILARITY_CONSTANT + self.masking[index].exp()
        share = variance / (variance + self.noise[index].exp()) * masking / (2 * variance + masking)
        of_under, of_over = share * of_under, share * of_over
        offset = of_under * mean_under + of_over * mean_over
        averaged = _window_mean(torch.cat([of_under, of_over, offset, share], dim=1))
        target = under * averaged[:, :1] + over * averaged[:, 1:2] - averaged[:, 2:3]
        return Pull(target, averaged[:, 3:], share)


def steps_at(level: int) -> int:
    """How many steps a level takes."""
    return STEPS if level else FINEST_STEPS


def ideal_patches(variance_under: Tensor, variance_over: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What makes the ideal patch of two, as MEF-SSIM defines it, from their variances and covariance.

    The tangent that MEF-SSIM takes of the patches' consistency is a rational function here, within .4 % of it.

    Returns:
        Under's coefficient, over's, and the variance of the ideal patch; shapes as given.
    """
    variance_under = variance_under.clamp_min(0) + LEAST_VARIANCE
    variance_over = variance_over.clamp_min(0) + LEAST_VARIANCE
    deviation_under, deviation_over = variance_under.sqrt(), variance_over.sqrt()
    total = (variance_under + variance_over + 2 * covariance).clamp_min(0)
    # Squared consistency, below 1.
    squared = (total / (deviation_under + deviation_over).square()).clamp(max=MOST_CONSISTENT)
    power = squared.sqrt() * (torch.pi / 2 - (torch.pi / 2 - 4 / torch.pi) * squared) / (1 - squared)
    power = power.clamp(max=STRONGEST_POWER)
    share_over = torch.sigmoid(0.5 * power * (variance_over / variance_under).log())
    share_under = 1 - share_over
    correlation = covariance / (deviation_under * deviation_over)
    squared_norm = share_under * share_under + share_over * share_over + 2 * share_under * share_over * correlation
    variance = torch.maximum(variance_under, variance_over)
    gain = (variance / squared_norm.clamp_min(LEAST_SQUARED_NORM)).sqrt()
    return gain * share_under / deviation_under, gain * share_over / deviation_over, variance


def _window_mean(pictures: Tensor) -> Tensor:
    """Averages over the window, (B, C, h, w); beyond the border the nearest pixels count.

    Not a convolution: GPUs run those in TF32, whose digits do not do for differences of squares.
    """
    reach = len(TAPS) // 2
    for axis, padding in ((-2, (0, 0, reach, reach)), (-1, (reach, reach, 0, 0))):
        size = pictures.shape[axis]
        padded = F.pad(pictures, padding, mode="replicate")
        shifted = [padded.narrow(axis, start, size) for start in range(len(TAPS))]
        pictures = TAPS[reach] * shifted[reach]
        for distance in range(reach):
            pictures = pictures.add(shifted[distance] + shifted[-1 - distance], alpha=TAPS[distance])
    return pictures
