"""The fused picture taken closer to the edges of both exposures (reconstruction: see ``stages.fusion.lcndr``).

C. S. Xydeas, V. Petrovic, "Objective image fusion performance measure", Electronics Letters 36(4), 2000, say how much
of an edge survives: the more, the closer its gradient comes to the source's in strength and in direction, and most of
it is decided within a narrow range of both. Here it is a few steps up the gradient of that measure.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS: Final = 3
LARGEST_STEP: Final = 0.3
"""Longer ones overshoot."""
STRENGTH_SLOPE: Final = 15.0
STRENGTH_MIDDLE: Final = 0.5
DIRECTION_SLOPE: Final = 22.0
DIRECTION_MIDDLE: Final = 0.8
"""Of the paper's sigmoids: kappa and sigma of the ratio of strengths, and of how parallel two edges are."""
NEAREST: Final = 0.8
"""Ratio of strengths, from which on the pull fades: there is little to gain, and a picture of itself stays so."""
FARTHEST: Final = 1.0
"""Bound of the gradient that is climbed: a few pixels would leap without it, for no more preserved edges."""
LEAST_LENGTH: Final = 1e-5
"""Of a gradient: keeps the direction of none finite."""
LEAST_SINE: Final = 0.1
"""Between directions, below which the pull fades likewise."""
_LEAST_SQUARED_SINE = 1e-12
"""Keeps the gradient of an angle of none finite."""


class Edges(NamedTuple):
    """A picture's gradient by Sobel's operator; (B, 1, H, W) each, strengths in units of the picture a pixel."""

    across: Tensor
    down: Tensor
    """Of unit length; of none where there is no edge."""
    strength: Tensor
    """With a floor: sqrt(g^2 + floor^2)."""

    @classmethod
    def of(cls, picture: Tensor, floor: Tensor) -> Edges:
        """Of a picture whose border goes on beyond it."""
        padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
        across, down = _across(padded), _across(padded.mT).mT
        square = across.square() + down.square()
        length = torch.sqrt(square + LEAST_LENGTH**2)
        return cls(across / length, down / length, torch.sqrt(square + floor.square()))


class EdgePreservation(nn.Module):
    """Steps up the gradient of Q^AB/F.

    With edges g = strength s in direction u (``Edges``), of the fused picture and, indexed by k, of both exposures, a
    step goes along the gradient of

        sum_pixels sum_k s_k S(min(s, s_k) / max(s, s_k)) A(1 - 2 / pi acos |u . u_k|)

    with the paper's sigmoids S and A. The gradient is about as large at faint edges as at strong ones: each pixel goes
    as far as the edges around it are strong, the faintest above all (their harmonic mean over 3 x 3 pixels), and hardly
    anywhere where they are no stronger than noise.

    Args:
        steps: how many.
    """

    def __init__(self, steps: int = STEPS) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.zeros(steps))
        """Logits of shares of ``LARGEST_STEP``."""
        self.floor = nn.Parameter(torch.tensor(0.25 / 255).log())
        self.noise = nn.Parameter(torch.tensor(1 / 255).log())
        """Logarithms of strengths."""

    def forward(self, fused: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """The fused picture with more of both exposures' edges; all (B, 1, H, W), luma in [0, 1]."""
        floor = self.floor.exp()
        exposures = [Edges.of(luma, floor) for luma in (under, over)]
        weakness = 1 / torch.maximum(exposures[0].strength, exposures[1].strength)
        reach = 1 / F.avg_pool2d(F.pad(weakness, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        reach = reach * reach.square() / (reach.square() + (2 * self.noise).exp())
        for step in LARGEST_STEP * torch.sigmoid(self.step):
            fused = fused + step * reach * _ascent(Edges.of(fused, floor), exposures)
        return fused


def _ascent(fused: Edges, exposures: list[Edges]) -> Tensor:
    """How the preserved edges grow with the luma of every pixel, (B, 1, H, W)."""
    across = down = torch.zeros_like(fused.strength)
    for exposure in exposures:
        along_own, along_exposure = _pull(fused, exposure)
        across = across + along_own * fused.across + along_exposure * exposure.across
        down = down + along_own * fused.down + along_exposure * exposure.down
    across, down = F.pad(across, (1, 1, 1, 1)), F.pad(down, (1, 1, 1, 1))
    return (-_across(across) - _across(down.mT).mT).clamp(-FARTHEST, FARTHEST)


def _pull(fused: Edges, exposure: Edges) -> tuple[Tensor, Tensor]:
    """How the preserved edges of an exposure grow with the fused gradient along its own direction and the exposure's.

    What a turn changes is the direction of the exposure less the part of it along the fused one.
    """
    cosine = fused.across * exposure.across + fused.down * exposure.down
    parallel = cosine.abs().clamp(max=1)
    ratio = fused.strength / exposure.strength
    nearness = torch.minimum(ratio, 1 / ratio)
    of_strength = torch.sigmoid(STRENGTH_SLOPE * (nearness - STRENGTH_MIDDLE))
    directed = 1 - 2 / math.pi * torch.atan2((1 - parallel.square()).clamp_min(_LEAST_SQUARED_SINE).sqrt(), parallel)
    of_direction = torch.sigmoid(DIRECTION_SLOPE * (directed - DIRECTION_MIDDLE))
    kept = of_strength * of_direction
    growing = torch.where(ratio < 1, 1.0, -nearness.square()) * ((1 - nearness) / (1 - NEAREST)).clamp(max=1)
    lengthen = kept * STRENGTH_SLOPE * (1 - of_strength) * growing
    per_cosine = 2 / math.pi / (1 - parallel.square()).clamp_min(LEAST_SINE**2).sqrt() / ratio
    turn = kept * DIRECTION_SLOPE * (1 - of_direction) * per_cosine
    return lengthen - turn * parallel, turn * cosine.sign()


def _across(padded: Tensor) -> Tensor:
    """Sobel's operator across a picture with a border of one pixel, over 8: (B, 1, H + 2, W + 2) -> (B, 1, H, W)."""
    smooth = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    return (smooth[..., 2:] - smooth[..., :-2]) / 8
