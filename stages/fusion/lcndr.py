"""LCNDR: a coordinated network for detail-refinement multi-exposure image fusion.

J. Li, J. Liu, S. Zhou, Q. Zhang, N. K. Kasabov, "Learning a Coordinated Network for Detail-refinement Multi-exposure
Image Fusion", IEEE TCSVT 2022. From the paper: three modules trained end to end; the collaborative extraction module
(CEM) takes shallow features of the under- and the over-exposed picture; the self-attention module (SAM) connects
patches in different places and guides smooth weight maps; features and weights give a coarse fused picture; the edge
revision module (ERM) refines its edges and suppresses noise. The authors published no final code: widths and wiring
within the modules are a reconstruction, and so is everything marked so below.

Reconstruction: the coarse picture is a Laplacian-pyramid blend down to the last few pixels, since weights applied
pixel by pixel leave seams and halos; the weight maps choose at every level together with the local contrast there, and
a few steps take each level's picture closer to what both exposures show. After the ERM a few more take edges and
structures of the whole picture closer to those of both exposures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion import pyramid
from stages.fusion.blend import SHARED_FROM_LEVEL, MultiScaleBlend, gradient_magnitude
from stages.fusion.mode import stream_working_side
from stages.fusion.refinement import DRAWN_LEVELS, STEPS, DetailRefinement
from stages.fusion.structure import REVISED_LEVELS

KNEE = 0.05
"""Of luma: closer to black or white than this, tones are bent back where an exposure shows something."""
KNEE_SHARE = 0.7
"""Of what the exposure shows, where that is less than the knee."""
FLOOR_SHARE = 0.35
"""Of the knee: the end that bent tones approach."""
LEAST_KNEE = 1e-6
"""Keeps divisions by the knee finite."""
_LEAST_GRADIENT = 1e-4
"""Of luma a pixel: keeps the gradient of a flat picture's gradient finite."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of the modules, levels that are judged, revised and drawn, steps; the defaults are the paper's size."""

    shallow: int = 32
    middle: int = 64
    deep: int = 96
    attention: int = 32
    revision: int = 8
    judged_levels: int = SHARED_FROM_LEVEL
    """Of the blend's pyramid, counted from the coarsest: see ``MultiScaleBlend``."""
    revised_levels: int = REVISED_LEVELS
    """The same: see ``StructureRevision``."""
    refinement_steps: int = STEPS
    drawn_levels: int = DRAWN_LEVELS
    """Of the refinement, counted from the finest: see ``DetailRefinement``."""

    def __post_init__(self) -> None:
        limits = {"judged_levels": SHARED_FROM_LEVEL, "revised_levels": REVISED_LEVELS, "drawn_levels": DRAWN_LEVELS}
        for name, most in limits.items():
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}, got {getattr(self, name)}")

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Widths:
        """The widths that a network's weights have; they may lack the ERM and what revises."""
        structure = weights.get("blend.structure.step")
        revision = weights.get("erm.refine.0.weight")
        refinement = weights.get("refinement.climb")
        return cls(
            shallow=weights["cem.shallow.0.weight"].shape[0],
            middle=weights["cem.convolution.0.weight"].shape[0],
            deep=weights["cem.convolution.2.weight"].shape[0],
            attention=weights["sam.project.weight"].shape[0],
            revision=1 if revision is None else revision.shape[0],
            judged_levels=weights["blend.gradient"].shape[0],
            revised_levels=1 if structure is None else structure.shape[0],
            refinement_steps=1 if refinement is None else refinement.shape[0],
            drawn_levels=0 if refinement is None else weights["refinement.step"].shape[0],
        )


class ChannelAttention(nn.Module):
    """Weighs channels by what the whole picture holds (mean and maximum of each), after Woo et al., CBAM, 2018."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, channels))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same, each channel times a factor in (0, 1)."""
        gate = torch.sigmoid(
            self.mlp(features.mean(dim=(2, 3))) + self.mlp(F.adaptive_max_pool2d(features, 1).flatten(1))
        )
        return features * gate[:, :, None, None]


class CollaborativeExtraction(nn.Module):
    """CEM: shallow features of one exposure; both exposures go through the same weights.

    A 3 x 3 convolution, then a channel-attention branch and a convolution branch side by side.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.shallow = nn.Sequential(nn.Conv2d(1, widths.shallow, 3, padding=1), nn.PReLU())
        self.attention = ChannelAttention(widths.shallow)
        self.convolution = nn.Sequential(
            nn.Conv2d(widths.shallow, widths.middle, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(widths.middle, widths.deep, 3, padding=1),
            nn.PReLU(),
        )

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, h, w) in [0, 1] -> the two branches' features, (B, shallow, h, w) and (B, deep, h, w)."""
        shallow = self.shallow(luma)
        return self.attention(shallow), self.convolution(shallow)


class SelfAttention(nn.Module):
    """SAM: weight maps for one exposure, guided by a global view of it beside the other exposure's luma.

    Attention runs over all positions of a map reduced by 8, through ``scaled_dot_product_attention``.
    Reconstruction: two maps, one for fine and one for coarse structure.
    """

    REDUCTION = 8

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(widths.shallow + widths.deep + 1, widths.attention, 1), nn.PReLU())
        self.query_key_value = nn.Conv2d(widths.attention, 3 * widths.attention, 1)
        self.project = nn.Conv2d(widths.attention, widths.attention, 1)
        self.weigh = nn.Sequential(
            nn.Conv2d(2 * widths.attention, widths.attention, 3, padding=1),
            nn.PReLU(),
            # Without a bias: only the difference of over's and under's logits counts.
            nn.Conv2d(widths.attention, 2, 3, padding=1, bias=False),
        )

    def forward(self, features: tuple[Tensor, Tensor], other_luma: Tensor) -> Tensor:
        """The CEM's features and (B, 1, h, w) -> logits (B, 2, h, w): fine structure, coarse structure."""
        mixing, activation = self.squeeze
        assert isinstance(mixing, nn.Conv2d)
        local = activation(_convolve_joined(mixing, (*features, other_luma)))
        height, width = local.shape[-2:]
        size = (max(1, round(height / self.REDUCTION)), max(1, round(width / self.REDUCTION)))
        reduced = F.adaptive_avg_pool2d(local, size)
        # Contiguous, or scaled_dot_product_attention falls back to the whole N x N matrix.
        tokens = self.query_key_value(reduced).flatten(2).transpose(1, 2).contiguous()
        query, key, value = tokens.chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        attended = reduced + self.project(attended.transpose(1, 2).reshape(reduced.shape))
        context = F.interpolate(attended, size=(height, width), mode="bilinear", align_corners=False)
        logits: Tensor = self.weigh(torch.cat([local, context], dim=1))
        return logits


class EdgeRevision(nn.Module):
    """ERM: a residual on the coarse picture, split by an edge map into sharpening and noise suppression.

    Reconstruction: the edge map is the Sobel gradient magnitude through a learned soft threshold; beside it and the
    coarse picture the convolutions see both exposures, in which the edges are as they were; the residual stays within
    a fifth of the full range and lives in the finest band of its Laplacian pyramid, so that it can neither brighten
    nor darken an area; it fades out where the exposures agree, for there nothing was mixed.
    """

    LIMIT = 0.2
    AGREEMENT = 4 / 255
    """Exposures that differ by less than this count as the more alike the less they do."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        last = nn.Conv2d(widths.revision, 2, 3, padding=1, bias=False)
        # The network starts without a revision and learns one.
        nn.init.zeros_(last.weight)
        self.refine = nn.Sequential(
            nn.Conv2d(4, widths.revision, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(widths.revision, widths.revision, 3, padding=1),
            nn.PReLU(),
            last,
        )
        self.threshold = nn.Parameter(torch.tensor(0.05))
        self.steepness = nn.Parameter(torch.tensor(40.0))

    def forward(self, coarse: Tensor, darker: Tensor, brighter: Tensor) -> Tensor:
        """The coarse picture, all (B, 1, H, W), refined; beside it the exposures' minimum and maximum."""
        edges = torch.sigmoid(self.steepness * (gradient_magnitude(coarse, _LEAST_GRADIENT) - self.threshold))
        proposals = self.LIMIT * torch.tanh(self.refine(torch.cat([coarse, edges, darker, brighter], dim=1)))
        differing = ((brighter - darker) / self.AGREEMENT).clamp(max=1)
        residual = differing * (edges * proposals[:, :1] + (1 - edges) * proposals[:, 1:])
        size = (coarse.shape[-2], coarse.shape[-1])
        refined: Tensor = coarse + residual - pyramid.expand(pyramid.reduce(residual), size)
        return refined


class LCNDR(nn.Module):
    """The whole network: two luma pictures in, one out.

    Args:
        widths: channels of the modules.
    """

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        widths = widths or Widths()
        self.cem = CollaborativeExtraction(widths)
        self.sam = SelfAttention(widths)
        self.blend = MultiScaleBlend(widths.judged_levels, widths.revised_levels)
        self.erm: EdgeRevision | None = EdgeRevision(widths)
        self.refinement: DetailRefinement | None = DetailRefinement(widths.refinement_steps, widths.drawn_levels)

    def forward(self, under: Tensor, over: Tensor, *, working_side: int | None = None) -> Tensor:
        """Fuse luma.

        Args:
            under: (B, 1, H, W) in [0, 1], the short exposure.
            over: the same, the long one.
            working_side: a number of pixels runs CEM and SAM on pictures whose longer side is at most that (`stream`),
                all else at full resolution; None runs every module at full resolution (`full`), and CEM and SAM once
                more as `stream` does, for the coarse map.

        Returns:
            Fused luma (B, 1, H, W) in [0, 1], where the exposures are.
        """
        return self.revise(self.blend(under, over, self.choose(under, over, working_side)), under, over)

    def choose(self, under: Tensor, over: Tensor, working_side: int | None) -> Tensor:
        """Logits (B, 2, h, w) of over against under, fine and coarse, at the size CEM and SAM see; as ``forward``."""
        if working_side is not None:
            return self.weigh(*(shrink_to_side(luma, working_side) for luma in (under, over)))
        small = self.choose(under, over, stream_working_side(under.shape[-2], under.shape[-1]))
        return with_coarse(self.weigh(under, over), small)

    def revise(self, coarse: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """What follows the coarse picture, all (B, 1, H, W)."""
        return self.refine(self.revise_edges(coarse, under, over), under, over)

    def revise_edges(self, coarse: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """The coarse picture after the ERM, all (B, 1, H, W)."""
        return coarse if self.erm is None else self.erm(coarse, torch.minimum(under, over), torch.maximum(under, over))

    def refine(self, revised: Tensor, under: Tensor, over: Tensor) -> Tensor:
        """What follows the ERM, all (B, 1, H, W): refinement; no tone lost to black or white before and after it."""
        darker, brighter = torch.minimum(under, over), torch.maximum(under, over)
        held = hold_tones(revised, darker, brighter)
        return held if self.refinement is None else hold_tones(self.refinement(held, under, over), darker, brighter)

    def weigh(self, under: Tensor, over: Tensor) -> Tensor:
        """CEM and SAM: logits (B, 2, h, w) of over against under, at the size of the pictures given."""
        features = self.cem(torch.cat([under, over]))
        logits = self.sam(features, torch.cat([over, under]))
        count = under.shape[0]
        difference: Tensor = logits[count:] - logits[:count]
        return difference


def with_coarse(logits: Tensor, small: Tensor) -> Tensor:
    """Logits (B, 2, h, w) whose coarse map is that of logits of smaller pictures (reconstruction).

    How bright an area becomes is for the whole view to say, as small as in training: convolutions over a large picture
    see nothing but smooth ground, and both modes would differ by tens of code values.
    """
    coarse = F.interpolate(small[:, 1:], size=logits.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([logits[:, :1], coarse], dim=1)


def hold_tones(fused: Tensor, darker: Tensor, brighter: Tensor) -> Tensor:
    """Bend back what overshoots towards black or white, all (B, 1, H, W) (reconstruction).

    Contrasts of both exposures on one picture need more range than there is. What the brighter exposure shows does not
    fall to black, nor what the darker one shows to white: below a knee at ``KNEE_SHARE`` of the brighter exposure, or
    ``KNEE`` where that is less, the values follow a hyperbola that continues the straight line and ends at
    ``FLOOR_SHARE`` of the knee; likewise from white. A picture fused with itself stays as it is.
    """
    lifted = _bend(fused, brighter)
    return 1 - _bend(1 - lifted, 1 - darker)


def _bend(values: Tensor, visible: Tensor) -> Tensor:
    knee = (KNEE_SHARE * visible).clamp(max=KNEE) + LEAST_KNEE
    span = (1 - FLOOR_SHARE) * knee
    below = knee - torch.minimum(values, knee)
    return torch.maximum(values, knee) - span + span * (span / (span + below))


def _convolve_joined(convolution: nn.Conv2d, parts: tuple[Tensor, ...]) -> Tensor:
    """A 1 x 1 convolution of channels side by side, without copying them beside each other."""
    weights = torch.split(convolution.weight, [part.shape[1] for part in parts], dim=1)
    joined = F.conv2d(parts[0], weights[0], convolution.bias)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        joined += F.conv2d(part, weight)
    return joined


def shrink_to_side(luma: Tensor, side: int | None) -> Tensor:
    """Shrink so that the longer side is at most ``side`` pixels; unchanged where it is already, or for None."""
    height, width = luma.shape[-2:]
    if side is None or max(height, width) <= side:
        return luma
    scale = side / max(height, width)
    return F.adaptive_avg_pool2d(luma, (max(1, round(height * scale)), max(1, round(width * scale))))
