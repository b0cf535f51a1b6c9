"""What draws a fused picture towards the edges of both exposures (reconstruction: see ``stages.fusion.lcndr``).

C. S. Xydeas, V. Petrovic, "Objective image fusion performance measure", Electronics Letters 36(4), 2000, say how much
of an edge survives: the more, the closer its gradient comes to the source's in strength and in direction, and most of
it is decided within a narrow range of both. Here it is the gradient of that measure, Q^AB/F.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

STRENGTH_SLOPE: Final = 15.0
STRENGTH_MIDDLE: Final = 0.5
DIRECTION_SLOPE: Final = 22.0
DIRECTION_MIDDLE: Final = 0.8
"""Of the paper's sigmoids: kappa and sigma of the ratio of strengths, and of how parallel two edges are."""
NEAREST: Final = 0.8
"""Ratio of strengths, from which on the pull fades: there is little to gain, and a picture of itself stays so."""
FARTHEST: Final = 1.0
"""Bound of the gradient that is climbed: a few pixels would leap without it, for no more preserved edges."""
FLOOR: Final = 0.25 / 255
"""Of a gradient's strength: a fainter one turns about with the last digits."""
LEAST_SINE: Final = 0.1
"""Between directions, below which the pull fades likewise."""
BRIGHT: Final = 0.85
WHITE: Final = 0.97
"""Of luma: where an exposure's edges begin to be those of white, and where they are nothing else."""
_LEAST_SQUARED_SINE = 1e-12
"""Keeps the gradient of an angle of none finite."""


class Edges(NamedTuple):
    """A picture's gradient by Sobel's operator; (B, 1, H, W) each, strengths in units of the picture a pixel."""

    across: Tensor
    down: Tensor
    """Of unit length, shorter where the edge is hardly one."""
    strength: Tensor
    """With a floor: sqrt(g^2 + ``FLOOR``^2)."""

    @classmethod
    def of(cls, picture: Tensor) -> Edges:
        """Of a picture whose border goes on beyond it."""
        padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
        across, down = _across(padded), _across(padded.mT).mT
        strength = torch.sqrt(across.square() + down.square() + FLOOR**2)
        return cls(across / strength, down / strength, strength)


class EdgeAscent(NamedTuple):
    """The way up the gradient of Q^AB/F.

    With edges g = strength s in direction u (``Edges``), of the fused picture and, indexed by k, of both exposures, it
    is the gradient of

        sum_pixels sum_k c_k s_k S(min(s, s_k) / max(s, s_k)) A(1 - 2 / pi acos(u . u_k))

    with the paper's sigmoids S and A; an edge turned round is none. Where white begins in one exposure nothing ends but
    what it can show, around a lamp for instance: there its edge counts, c_k, as far as the other one has an edge, too.
    The gradient is about as large at faint edges as at strong ones: each pixel goes as far as the edges around it are
    strong, the faintest above all (their harmonic mean over 3 x 3 pixels), and hardly anywhere where they are no
    stronger than noise.
    """

    exposures: tuple[Edges, Edges]
    counts: tuple[Tensor, Tensor]
    """(B, 1, H, W) each, how much each one's edges count."""
    reach: Tensor
    """(B, 1, H, W), how far each pixel goes."""

    @classmethod
    def between(cls, under: Tensor, over: Tensor, noise: Tensor) -> EdgeAscent:
        """Of exposures (B, 1, H, W) in [0, 1]; ``noise`` is a strength of edges."""
        of_under, of_over = Edges.of(under), Edges.of(over)
        counts = _count(under, of_under, of_over), _count(over, of_over, of_under)
        weakness = 1 / torch.maximum(of_under.strength, of_over.strength)
        reach = 1 / F.avg_pool2d(F.pad(weakness, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return cls((of_under, of_over), counts, reach * reach.square() / (reach.square() + noise.square()))

    def on(self, fused: Tensor) -> Tensor:
        """Where a picture goes, (B, 1, H, W)."""
        edges = Edges.of(fused)
        across = down = torch.zeros_like(fused)
        for exposure, count in zip(self.exposures, self.counts, strict=True):
            along_own, along_exposure = (count * along for along in _pull(edges, exposure))
            across = across + along_own * edges.across + along_exposure * exposure.across
            down = down + along_own * edges.down + along_exposure * exposure.down
        across, down = F.pad(across, (1, 1, 1, 1)), F.pad(down, (1, 1, 1, 1))
        return self.reach * (-_across(across) - _across(down.mT).mT).clamp(-FARTHEST, FARTHEST)


def _count(luma: Tensor, edges: Edges, other: Edges) -> Tensor:
    """How much an exposure's edges count, (B, 1, H, W), beside the other's."""
    brightest = F.max_pool2d(luma, 3, stride=1, padding=1)
    resolved = ((WHITE - brightest) / (WHITE - BRIGHT)).clamp(0, 1)
    return torch.maximum(resolved, (other.strength / edges.strength).clamp(max=1))


def _pull(fused: Edges, exposure: Edges) -> tuple[Tensor, Tensor]:
    """How the preserved edges of an exposure grow with the fused gradient along its own direction and the exposure's.

    What a turn changes is the direction u_k of the exposure less its part along the fused one: u_k |u|^2 - u (u . u_k).
    """
    cosine = fused.across * exposure.across + fused.down * exposure.down
    parallel = cosine.clamp(0, 1)
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
    return lengthen - turn * parallel, turn * (fused.across.square() + fused.down.square())


def _across(padded: Tensor) -> Tensor:
    """Sobel's operator across a picture with a border of one pixel, over 8: (B, 1, H + 2, W + 2) -> (B, 1, H, W)."""
    smooth = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    return (smooth[..., 2:] - smooth[..., :-2]) / 8
