"""The blend's picture taken closer to the ideal patches of MEF-SSIM (reconstruction: see ``stages.fusion.lcndr``).

K. Ma, Z. Duanmu, H. Yeganeh, Z. Wang, "Multi-Exposure Image Fusion by Optimizing A Structural Similarity Index", IEEE
TCI 4(1), 2018, climb the index's gradient from any picture, many steps far. Here it is a few steps from the blend, at
the levels of its pyramid, of a quadratic that stands for the index (``stages.fusion.patches``).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from stages.fusion.patches import Pull

REVISED_LEVELS: Final = 4
"""From the finest but one down, at most; the finest is ``stages.fusion.refinement``'s."""
STEPS: Final = 8
"""An even number, which the compiled engine asks for."""
MOMENTUM: Final = 0.5
"""Of each step in the next (Polyak's heavy ball): as close in half as many steps."""
LARGEST_STEP: Final = 1.9
"""From 2 on, steps overshoot more than they gain."""
SMALLEST_SIDE: Final = 8
"""Pixels; smaller pictures stay as they are."""


class StructureRevision(nn.Module):
    """Steps towards the ideal patches (see ``Pull``) at the finer levels.

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
        return REVISED_LEVELS + 1 - self.step.shape[0]

    def revises(self, level: int, height: int, width: int) -> bool:
        """Whether a level of so many pixels is changed at all."""
        return self.revised_from <= level <= REVISED_LEVELS and min(height, width) >= SMALLEST_SIDE

    def forward(self, level: int, fused: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """The fused picture of a level that is revised, closer to what both exposures show; all (B, 1, h, w)."""
        index = level - self.revised_from
        step = LARGEST_STEP * torch.sigmoid(self.step[index])
        pull = self.prepare(under, over, self.masking[index].exp(), self.noise[index].exp())
        revised, taken = fused - 0.5, torch.zeros_like(fused)
        for _ in range(STEPS):
            revised, taken = self.advance(revised, taken, step, pull)
        return revised + 0.5

    @staticmethod
    def prepare(under: Tensor, over: Tensor, masking: Tensor, noise: Tensor) -> Pull:
        """What draws a level; arguments as for ``Pull.between``, but for luma in [0, 1]."""
        return Pull.between(under - 0.5, over - 0.5, masking, noise)

    @staticmethod
    def advance(revised: Tensor, taken: Tensor, step: Tensor, pull: Pull) -> tuple[Tensor, Tensor]:
        """The picture, less 0.5, after a step, and the step; given the one before, zero at first."""
        taken = MOMENTUM * taken + step * pull.on(revised)
        return revised + taken, taken
