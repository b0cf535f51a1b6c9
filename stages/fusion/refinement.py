"""The last steps from the coarse picture: finer edges, true structures (reconstruction: see ``stages.fusion.lcndr``).

Closer to the edges of both exposures (``stages.fusion.preservation``) is further from their patches
(``stages.fusion.patches``), and the other way round: climbed one after the other, each undoes what the other won.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from stages.fusion import pyramid
from stages.fusion.patches import Pull
from stages.fusion.preservation import EdgeAscent
from stages.fusion.structure import SMALLEST_SIDE

STEPS: Final = 5
MOMENTUM: Final = 0.5
"""Of each step in the next."""
DRAWN_LEVELS: Final = 3
"""At most."""
WIDER: Final = (False, False, True)
"""Whether ideal patches are found in a wider window, by level of the picture's pyramid, from the finest. MEF-SSIM's is
wider than ours; for Q^AB/F, which sees the finest level best, ours is better."""
LARGEST_CLIMB: Final = 0.3
"""Longer ones overshoot."""
LARGEST_STEP: Final = 1.0


class DetailRefinement(nn.Module):
    """Steps that each go up the gradient of Q^AB/F and, at the finest levels, towards the ideal patches.

    What the levels ask for is brought up to the picture's size and added.

    Args:
        steps: how many.
        levels: at which patches draw, from the finest; at most ``DRAWN_LEVELS``, and 0 for edges alone.
    """

    def __init__(self, steps: int = STEPS, levels: int = DRAWN_LEVELS) -> None:
        super().__init__()
        self.climb = nn.Parameter(torch.full((steps,), -0.4))
        """Towards edges, step by step: logits of shares of ``LARGEST_CLIMB``."""
        self.step = nn.Parameter(torch.tensor([0.0, 0.0, 0.85])[:levels])
        """Towards patches, level by level: logits of shares of ``LARGEST_STEP``."""
        self.edge_noise = nn.Parameter(torch.tensor(math.log(0.8 / 255)))
        """Logarithm of a strength of edges."""
        self.masking = nn.Parameter(torch.tensor([4e-4, 1.5e-4, 2.5e-3]).log()[:levels])
        self.noise = nn.Parameter(torch.tensor([2e-5, 1e-7, 1e-7]).log()[:levels])
        """Logarithms of variances of luma in [0, 1]."""

    def forward(self, fused: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """The refined picture; all (B, 1, H, W), luma in [0, 1]."""
        ascent, pulls = self.prepare(under, over)
        refined, taken = fused - 0.5, torch.zeros_like(fused)
        for climb in LARGEST_CLIMB * torch.sigmoid(self.climb):
            refined, taken = self.advance(refined, taken, climb, ascent, pulls)
        return refined + 0.5

    def prepare(self, under: Tensor, over: Tensor) -> tuple[EdgeAscent, list[Pull]]:
        """What leads all steps: both exposures' edges, and their patches at every level that draws."""
        ascent = EdgeAscent.between(under, over, self.edge_noise.exp())
        return ascent, self._pulls(under - 0.5, over - 0.5)

    def advance(
        self, refined: Tensor, taken: Tensor, climb: Tensor, ascent: EdgeAscent, pulls: list[Pull]
    ) -> tuple[Tensor, Tensor]:
        """The picture, less 0.5, after a step, and the step; given the one before, zero at first."""
        taken = MOMENTUM * taken + climb * ascent.on(refined)
        if pulls:
            taken = taken + self._drawn(refined, pulls)
        return refined + taken, taken

    def _pulls(self, under: Tensor, over: Tensor) -> list[Pull]:
        """Of the picture, and of the next levels as many as are not too small."""
        pulls: list[Pull] = []
        levels = len(self.step)
        for wider, masking, noise in zip(WIDER[:levels], self.masking.exp(), self.noise.exp(), strict=True):
            if pulls:
                under, over = pyramid.reduce(under), pyramid.reduce(over)
                if min(under.shape[-2:]) < SMALLEST_SIDE:
                    break
            pulls.append(Pull.between(under, over, masking, noise, wider=wider))
        return pulls

    def _drawn(self, picture: Tensor, pulls: list[Pull], level: int = 0) -> Tensor:
        """What this level and those below ask for, (B, 1, h, w)."""
        drawn = LARGEST_STEP * torch.sigmoid(self.step[level]) * pulls[level].on(picture)
        if level + 1 < len(pulls):
            size = (picture.shape[-2], picture.shape[-1])
            drawn = drawn + pyramid.expand(self._drawn(pyramid.reduce(picture), pulls, level + 1), size)
        return drawn
