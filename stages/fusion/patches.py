"""What a fused picture's patches should hold, and what draws it there (reconstruction: see ``stages.fusion.lcndr``).

K. Ma, K. Zeng, Z. Wang, "Perceptual Quality Assessment for Multi-Exposure Image Fusion", IEEE TIP 24(11), 2015:
the structures of both exposures, the stronger one more, at the stronger one's contrast. Patches overlap and cannot all
be ideal.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

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


class Pull(NamedTuple):
    """What draws a picture, less 0.5, towards its ideal patches; all (B, 1, h, w).

    The patch around a pixel, less its mean, should be c_u times under's and c_o times over's, each less its mean (see
    ``ideal_patches``). With windows j of Gaussian weights G and fused f, the negative gradient of

        sum_j w_j G_j | (f - mean_j f) - ideal_j |^2,    w = V / (V + noise) (C + masking) / (2 V + C + masking)

    with V = the ideal patch's variance and C = SSIM's constant: errors count less where there is much to see, as they
    do for SSIM, and less where there is nothing but noise.
    """

    target: Tensor
    weight: Tensor
    share: Tensor

    @classmethod
    def between(cls, under: Tensor, over: Tensor, masking: Tensor, noise: Tensor, *, wider: bool = False) -> Pull:
        """Of both exposures.

        Args:
            under: (B, 1, h, w) in [-0.5, 0.5]: variances of values far from 0 lose digits.
            over: the same.
            masking: a variance of luma in [0, 1].
            noise: the same.
            wider: whether the window is applied twice where each exposure's part in the ideal patch is found.
        """
        means = _window_mean(torch.cat([under, over], dim=1))
        moments = _window_mean(torch.cat([under * under, over * over, under * over], dim=1))
        near = _variances(means, moments)
        wide = _variances(_window_mean(means), _window_mean(moments)) if wider else near
        of_under, of_over = ideal_patches(*wide)
        variance = of_under * of_under * near[0] + of_over * of_over * near[1] + 2 * of_under * of_over * near[2]
        variance = variance.clamp_min(LEAST_VARIANCE)
        masking = SIMILARITY_CONSTANT + masking
        share = variance / (variance + noise) * masking / (2 * variance + masking)
        of_under, of_over = share * of_under, share * of_over
        offset = of_under * means[:, :1] + of_over * means[:, 1:]
        averaged = _window_mean(torch.cat([of_under, of_over, offset, share], dim=1))
        target = under * averaged[:, :1] + over * averaged[:, 1:2] - averaged[:, 2:3]
        return cls(target, averaged[:, 3:], share)

    def on(self, fused: Tensor) -> Tensor:
        """Where a picture is drawn, (B, 1, h, w)."""
        return self.target - self.weight * fused + _window_mean(self.share * _window_mean(fused))


def ideal_patches(variance_under: Tensor, variance_over: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """What makes the ideal patch of two, as MEF-SSIM defines it, from their variances and covariance.

    The tangent that MEF-SSIM takes of the patches' consistency is a rational function here, within .4 % of it.

    Returns:
        Under's coefficient and over's; shapes as given.
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
    return gain * share_under / deviation_under, gain * share_over / deviation_over


def _variances(means: Tensor, moments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of under, of over, and their covariance."""
    under, over = means[:, :1], means[:, 1:]
    return moments[:, :1] - under * under, moments[:, 1:2] - over * over, moments[:, 2:] - under * over


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
