"""LCNDR in the operations that suit a GPU: what ``LCNDR`` computes, equal up to rounding.

Under and over travel side by side as two channels, through torch's own kernels for channels that do not mix; constants
lie on the device from the start, for a CUDA graph cannot take any from the host; what the network knows of its own
weights is worked out once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion import pyramid
from stages.fusion.blend import SHARED_FROM_LEVEL, Comparison
from stages.fusion.lcndr import LCNDR, EdgeRevision, hold_tones, shrink_to_side, with_coarse
from stages.fusion.mode import Mode, stream_working_side
from stages.fusion.tiles import weigh_tiled

_WHOLE_PIXELS = 1 << 22
_STRIP_PIXELS = 1 << 20
"""Above the first, CEM and SAM go through strips of the second: whole, 4K in full mode would take over 10 GB."""

_GRADIENT_GAIN = 256
"""So that half precision holds the square of a gradient of the noise floor's size, and that of the steepest."""


class DeviceNetwork(nn.Module):
    """A network ready to be placed on a GPU; made on the CPU.

    Args:
        network: with its weights, of which this keeps a copy.
        mode: how much of a picture CEM and SAM see.
        precision: what weights and pictures are held in.
    """

    def __init__(self, network: LCNDR, mode: Mode, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        self._mode: Mode = mode
        blend = network.blend
        self._guidance, self._contrast, self._gradient, self._floor = (
            values.detach().cpu().tolist()
            for values in (blend.guidance, blend.contrast, blend.gradient, blend.noise_floor.exp())
        )
        self._judged_from = blend.judged_from
        self._parts = copy.deepcopy(network).cpu().eval().requires_grad_(False)
        # Both stay in single precision, their weights and what they see: they live on small differences.
        self._structure, self._parts.blend.structure = self._parts.blend.structure, None
        self._refinement, self._parts.refinement = self._parts.refinement, None
        self._hold: Callable[[Tensor, Tensor, Tensor], Tensor] = hold_tones
        self._parts.to(precision)
        for weight in self._parts.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.to(memory_format=torch.channels_last)
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
        self.taps: Tensor
        self.register_buffer("taps", torch.outer(taps, taps).to(precision).expand(2, 1, 4, 4).contiguous())
        self.sobel: Tensor
        both = torch.stack([sobel, sobel.T])[:, None]
        self.register_buffer("sobel", both.to(precision))
        self.gradients: Tensor
        self.register_buffer("gradients", (_GRADIENT_GAIN * both).repeat(2, 1, 1, 1).to(precision))

    def join(self, join: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Let the steps after CEM and SAM, hundreds of small operations each, be joined into few kernels."""
        for part in (self._structure, self._refinement):
            for name in ("prepare", "advance") if part is not None else ():
                setattr(part, name, join(getattr(part, name)))
        self._hold = join(hold_tones)

    def forward(self, lumas: Tensor) -> Tensor:
        """Fuse luma.

        Args:
            lumas: (1, 2, H, W) in [0, 1]: under, over.

        Returns:
            (1, 1, H, W) in [0, 1].
        """
        return self.revise(self.blend(lumas, self.choose(lumas)), lumas)

    def choose(self, lumas: Tensor) -> Tensor:
        """``LCNDR.choose``: logits (1, 2, h, w) of over against under."""
        small = self.weigh(shrink_to_side(lumas, stream_working_side(*lumas.shape[-2:])))
        return small if self._mode == "stream" else with_coarse(self.weigh(lumas), small)

    def weigh(self, lumas: Tensor) -> Tensor:
        """CEM and SAM: logits (1, 2, h, w) of over against under, at the size of the pictures given."""
        pictures = lumas.transpose(0, 1)
        height, width = pictures.shape[-2:]
        cem, sam = self._parts.cem, self._parts.sam
        if height * width > _WHOLE_PIXELS:
            return weigh_tiled(self._parts, pictures[:1], pictures[1:], rows=max(16, _STRIP_PIXELS // width))
        shallow = cem.shallow(pictures)
        mlp = cem.attention.mlp
        # Not adaptive_max_pool2d as in LCNDR, which leaves a whole channel to one thread of a GPU.
        gate = torch.sigmoid(mlp(shallow.mean(dim=(2, 3))) + mlp(shallow.amax(dim=(2, 3))))
        logits: Tensor = sam((shallow * gate[:, :, None, None], cem.convolution(shallow)), pictures.flip(0))
        return logits[1:] - logits[:1]

    def blend(self, lumas: Tensor, logits: Tensor) -> Tensor:
        """The coarse picture (1, 1, H, W): ``MultiScaleBlend``, level by level."""
        sizes = pyramid.level_sizes(lumas.shape[-2], lumas.shape[-1])
        blended, pictures = [], []
        for level, size in enumerate(sizes):
            bands, shared = lumas, min(level, SHARED_FROM_LEVEL - 1)
            if size[0] < logits.shape[-2]:
                logits = self._resized(logits, size)
            # Fine and coarse are joined before they are brought up: half as much to bring up.
            is_base = level == len(sizes) - 1
            fine, coarse = self._guidance[-1 if is_base else shared]
            logit = self._resized(fine * logits[:, :1] + coarse * logits[:, 1:], size)
            if not is_base:
                pictures.append(lumas)
                reduced = self._reduced(lumas)
                bands = lumas - pyramid.expand(reduced, size)
                logit = self._compare(shared, logit, bands, lumas)
                lumas = reduced
            blended.append(torch.lerp(bands[:, :1], bands[:, 1:], torch.sigmoid(logit)))
        structure, fused = self._structure, blended[-1]
        for level in range(len(pictures) - 1, -1, -1):
            fused = blended[level] + pyramid.expand(fused, sizes[level])
            if structure is not None and structure.revises(level, *sizes[level]):
                under, over = pictures[level].float().split(1, dim=1)
                fused = structure(level, fused.float(), under, over).to(self.precision)
        return fused

    def _compare(self, level: int, maps: Tensor, bands: Tensor, lumas: Tensor) -> Tensor:
        """The logit of a level but the base, (1, 1, h, w), from its weight maps, bands and Gaussian pictures."""
        strength = F.avg_pool2d(bands.abs(), 3, stride=1, padding=1, count_include_pad=False)
        contrast = Comparison.of(*strength.add_(self._floor[level]).log_().split(1, dim=1))
        if level < self._judged_from:
            return maps.add(contrast.ratio, alpha=self._contrast[level])
        slopes = F.conv2d(F.pad(lumas, (1, 1, 1, 1), mode="replicate"), self.gradients, groups=2)
        floor = (_GRADIENT_GAIN * self._floor[level]) ** 2
        squares = slopes.square_().unflatten(1, (2, 2)).sum(dim=2).add_(floor)
        halved = squares.log_().mul_(0.5).sub_(math.log(_GRADIENT_GAIN))
        gradient = Comparison.of(*halved.split(1, dim=1))
        judged = level - self._judged_from
        of_maps, of_contrast, of_gradient = self._parts.blend.judge(judged, maps, contrast, gradient).split(1, dim=1)
        logit: Tensor = (
            (of_maps + 1) * maps
            + (of_contrast + self._contrast[level]) * contrast.ratio
            + (of_gradient + self._gradient[judged]) * gradient.ratio
        )
        return logit

    def revise(self, coarse: Tensor, lumas: Tensor) -> Tensor:
        """``LCNDR.revise``, (1, 1, H, W)."""
        darker, brighter = lumas.amin(dim=1, keepdim=True), lumas.amax(dim=1, keepdim=True)
        held = self._hold(self._revised(coarse, darker, brighter), darker, brighter)
        if self._refinement is None:
            return held
        under, over = lumas.float().split(1, dim=1)
        refined = self._refinement(held.float(), under, over).to(self.precision)
        return self._hold(refined, darker, brighter)

    def _revised(self, coarse: Tensor, darker: Tensor, brighter: Tensor) -> Tensor:
        """``EdgeRevision``."""
        erm = self._parts.erm
        if erm is None:
            return coarse
        gradients = F.conv2d(F.pad(coarse, (1, 1, 1, 1), mode="replicate"), self.sobel)
        magnitude = torch.sqrt(gradients.square().sum(dim=1, keepdim=True) + 1e-8)
        edges = torch.sigmoid(erm.steepness * (magnitude - erm.threshold))
        seen = torch.cat([coarse, edges, darker, brighter], dim=1)
        proposals = EdgeRevision.LIMIT * torch.tanh(erm.refine(seen))
        differing = ((brighter - darker) / EdgeRevision.AGREEMENT).clamp(max=1)
        residual = differing * torch.lerp(proposals[:, 1:], proposals[:, :1], edges)
        size = (coarse.shape[-2], coarse.shape[-1])
        return coarse + residual - pyramid.expand(self._reduced(residual), size)

    def _reduced(self, pictures: Tensor) -> Tensor:
        """``pyramid.reduce`` of one or two channels that do not mix."""
        channels, height, width = pictures.shape[1:]
        padded = F.pad(pictures, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
        return F.conv2d(padded, self.taps[:channels], stride=2, groups=channels)

    def _resized(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """``blend.resize_logits``."""
        height, width = logits.shape[-2:]
        if (height, width) == size:
            return logits
        if (-(-height // 2), -(-width // 2)) == size:
            return self._reduced(logits)
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
