"""Two exposures mixed level by level of their Laplacian pyramids (reconstruction: see ``stages.fusion.lcndr``)."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion import pyramid
from stages.fusion.structure import REVISED_LEVELS, StructureRevision

SHARED_FROM_LEVEL: Final = 6
"""Levels from here down share their coefficients."""
JUDGE_FEATURES: Final = 5
"""Of a pixel: what ``Judge`` looks at."""

MEAN_SHARE: Final = 0.3
"""Of the sum of two logarithms of strengths: with the offset, brings it to the range around 0."""
MEAN_OFFSET: Final = 1.5

_JUDGE_WIDTH = 8
_NOISE_FLOOR = 0.25 / 255


class Comparison(NamedTuple):
    """How two exposures stand to each other at a level, (B, 1, h, w) each."""

    ratio: Tensor
    """Logarithm of over's strength by under's."""
    mean: Tensor
    """Of both logarithms, brought to the range around 0."""

    @classmethod
    def of(cls, under: Tensor, over: Tensor) -> Comparison:
        """Of the logarithms of strengths."""
        return cls(over - under, MEAN_SHARE * (over + under) + MEAN_OFFSET)


class Judge(nn.Module):
    """How much the weight maps, the contrasts and the gradients count at a pixel: factors, (B, 3, h, w).

    Two layers for each level, of what stays the same when under and over change places.
    """

    def __init__(self, levels: int, width: int = _JUDGE_WIDTH) -> None:
        super().__init__()
        self.first = nn.Parameter(0.3 * torch.randn(levels, width, JUDGE_FEATURES))
        self.bias = nn.Parameter(0.1 * torch.randn(levels, width))
        # The blend starts without a judge and learns one.
        self.second = nn.Parameter(torch.zeros(levels, 3, width))

    def forward(self, level: int, maps: Tensor, contrast: Comparison, gradient: Comparison) -> Tensor:
        """Beside the comparisons the logit (B, 1, h, w) that the weight maps give; ``level`` counts the judged ones."""
        seen = torch.cat([maps.abs(), contrast.ratio.abs(), contrast.mean, gradient.ratio.abs(), gradient.mean], dim=1)
        hidden = F.relu(F.conv2d(seen, self.first[level, :, :, None, None], self.bias[level]))
        return F.conv2d(hidden, self.second[level, :, :, None, None])


class MultiScaleBlend(nn.Module):
    """Chooses at every level and pixel between under and over.

    Over's weight at level l is the sigmoid of

        (1 + j_0) m + (contrast_l + j_1) log(c_over / c_under) + (gradient_l + j_2) log(g_over / g_under)

    with m = f_l * fine + c_l * coarse, the network's weight maps; c = local mean of the band's magnitude, g = gradient
    magnitude of the Gaussian level (Sobel), each with a noise floor; j = what the ``Judge`` of the level says of all of
    them. So where one exposure has lost a structure to clipping or to the dark, the other's is taken, whatever the
    resolution of the weight maps. The base has neither contrast nor gradient: sigmoid(m).

    On the way up from the base, a ``StructureRevision`` takes each level's picture closer to what both exposures show.

    Args:
        judged_levels: at finer levels than the last so many, maps and contrasts choose alone, for the sake of speed.
        revised_levels: as ``StructureRevision`` takes them.
    """

    def __init__(self, judged_levels: int = SHARED_FROM_LEVEL, revised_levels: int = REVISED_LEVELS) -> None:
        super().__init__()
        # One more than the levels: the base has its own.
        share_of_fine = torch.sigmoid(torch.linspace(2.0, -2.0, SHARED_FROM_LEVEL + 1))
        self.guidance = nn.Parameter(torch.stack([share_of_fine, 1 - share_of_fine], dim=1))
        self.contrast = nn.Parameter(torch.full((SHARED_FROM_LEVEL,), 3.5))
        self.noise_floor = nn.Parameter(torch.full((SHARED_FROM_LEVEL,), _NOISE_FLOOR).log())
        self.gradient = nn.Parameter(torch.zeros(judged_levels))
        self.judge = Judge(judged_levels)
        self.structure: StructureRevision | None = StructureRevision(revised_levels)

    @property
    def judged_from(self) -> int:
        """The finest level that is judged."""
        return SHARED_FROM_LEVEL - self.gradient.shape[0]

    @torch.no_grad()
    def start_from(self, other: MultiScaleBlend) -> None:
        """Take another's parameters; of judges and revisions those of the coarsest levels, as many as both have."""
        parameters = other.state_dict()
        for name, own in self.state_dict().items():
            if name not in parameters:
                continue
            levels = min(own.shape[0], parameters[name].shape[0])
            own[own.shape[0] - levels :] = parameters[name][parameters[name].shape[0] - levels :]

    def forward(self, under: Tensor, over: Tensor, logits: Tensor) -> Tensor:
        """Blend two luma pictures.

        Args:
            under: (B, 1, H, W) in [0, 1].
            over: the same.
            logits: (B, 2, h, w), over minus under, fine and coarse; any size.

        Returns:
            The coarse picture (B, 1, H, W).
        """
        sizes = pyramid.level_sizes(under.shape[-2], under.shape[-1])
        bands, pictures = [], []
        for level, size in enumerate(sizes):
            at_level = resize_logits(logits, size)
            if size[0] < logits.shape[-2]:
                logits = at_level
            is_base = level == len(sizes) - 1
            fine, coarse = self.guidance[-1 if is_base else min(level, SHARED_FROM_LEVEL - 1)]
            maps = fine * at_level[:, :1] + coarse * at_level[:, 1:]
            if is_base:
                break
            pictures.append((under, over))
            next_under, next_over = pyramid.reduce(under), pyramid.reduce(over)
            band_under, band_over = under - pyramid.expand(next_under, size), over - pyramid.expand(next_over, size)
            logit = self._compare(level, maps, (band_under, band_over), (under, over))
            bands.append(band_under + torch.sigmoid(logit) * (band_over - band_under))
            under, over = next_under, next_over
        fused = torch.lerp(under, over, torch.sigmoid(maps))
        for level in range(len(bands) - 1, -1, -1):
            fused = bands[level] + pyramid.expand(fused, sizes[level])
            if self.structure is not None and self.structure.revises(level, *sizes[level]):
                fused = self.structure(level, fused, *pictures[level])
        return fused

    def _compare(
        self, level: int, maps: Tensor, bands: tuple[Tensor, Tensor], pictures: tuple[Tensor, Tensor]
    ) -> Tensor:
        """The logit of a level but the base, (B, 1, h, w), from its weight maps, bands and Gaussian pictures."""
        shared = min(level, SHARED_FROM_LEVEL - 1)
        floor = self.noise_floor[shared].exp()
        contrast = Comparison.of(*((_local_mean(band.abs()) + floor).log() for band in bands))
        if level < self.judged_from:
            return maps + self.contrast[shared] * contrast.ratio
        gradient = Comparison.of(*(gradient_magnitude(picture, floor).log() for picture in pictures))
        judged = shared - self.judged_from
        of_maps, of_contrast, of_gradient = self.judge(judged, maps, contrast, gradient).split(1, dim=1)
        logit: Tensor = (
            (1 + of_maps) * maps
            + (self.contrast[shared] + of_contrast) * contrast.ratio
            + (self.gradient[judged] + of_gradient) * gradient.ratio
        )
        return logit


def gradient_magnitude(picture: Tensor, floor: Tensor | float) -> Tensor:
    """By Sobel's operator, (B, 1, h, w) in units of the picture a pixel, with a floor: sqrt(g^2 + floor^2)."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=picture.dtype) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None].to(picture.device)
    gradients = F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), kernels)
    return torch.sqrt(gradients.square().sum(dim=1, keepdim=True) + floor**2)


def resize_logits(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits at a pyramid level's size: reduced where they are twice as large, else interpolated."""
    height, width = logits.shape[-2:]
    if (height, width) == size:
        return logits
    if (-(-height // 2), -(-width // 2)) == size:
        return pyramid.reduce(logits)
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def _local_mean(picture: Tensor) -> Tensor:
    """Means over 3 x 3 pixels; the border counts its own pixels only."""
    return F.avg_pool2d(picture, 3, stride=1, padding=1, count_include_pad=False)
