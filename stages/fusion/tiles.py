"""LCNDR in strips of a few rows: any size in bounded memory, equal to the whole picture at once up to rounding.

Convolutions see a few rows up and down, so neighbouring strips overlap by as many. What looks at the whole picture is
gathered over all strips first: the mean and maximum of each channel for CEM's attention, the reduced map for SAM's.
That costs the shallow convolution three times and the others of CEM twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.lcndr import LCNDR, CollaborativeExtraction, SelfAttention, with_coarse
from stages.fusion.mode import stream_working_side

_SHALLOW_REACH = 1
_CEM_REACH = 3
_SAM_REACH = 2
_ERM_REACH = 8
"""Four rows for Sobel's operator and the convolutions, three for the pyramid's band, rounded up to its 2 x 2 blocks."""
_REFINEMENT_REACH = 40
"""Of each step, rounded up to blocks of four: six rows of the level of a quarter, and what resampling adds."""
_STRIPS_REFINED = 16
"""At a time: the steps need few planes but see far."""
_WHOLE_PIXELS = 1 << 20
_STRIP_PIXELS = 1 << 18


def strip_rows(height: int, width: int) -> int:
    """Rows of a strip that suit a picture: all of them up to a megapixel, else what needs about 1 GB.

    Whole, a megapixel needs about 3 GB, and 0.6 of the time that strips take.
    """
    return height if height * width <= _WHOLE_PIXELS else max(16, _STRIP_PIXELS // width)


def fuse_tiled(network: LCNDR, under: Tensor, over: Tensor, *, working_side: int | None, rows: int) -> Tensor:
    """What ``network(under, over, working_side=working_side)`` gives, in strips of so many rows.

    Args:
        network: with its weights.
        under: (B, 1, H, W) in [0, 1].
        over: the same.
        working_side: as the network takes it.
        rows: of a strip; ``strip_rows`` suggests a number.
    """
    if working_side is None:
        small = network.choose(under, over, stream_working_side(under.shape[-2], under.shape[-1]))
        logits = with_coarse(weigh_tiled(network, under, over, rows=rows), small)
    else:
        logits = network.choose(under, over, working_side)
    revised = revise_edges_tiled(network, network.blend(under, over, logits), under, over, rows=rows)
    return refine_tiled(network, revised, under, over, rows=_STRIPS_REFINED * rows)


def weigh_tiled(network: LCNDR, under: Tensor, over: Tensor, *, rows: int) -> Tensor:
    """What ``network.weigh`` gives, (B, 2, H, W), in strips of so many rows."""
    height, width = under.shape[-2:]
    if height <= rows:
        return network.weigh(under, over)
    local_features = _LocalFeatures(
        network.cem,
        network.sam,
        torch.cat([under, over]),
        torch.cat([over, under]),
        _channel_gate(network.cem, torch.cat([under, over]), rows),
    )
    context = _attended(network.sam, _reduced(local_features, rows))
    count = under.shape[0]
    differences = []
    for start, stop in _strips(height, rows):
        top, bottom = max(0, start - _SAM_REACH), min(height, stop + _SAM_REACH)
        seen = [local_features.rows(top, bottom), _enlarged_rows(context, top, bottom, (height, width))]
        logits = network.sam.weigh(torch.cat(seen, dim=1))[..., start - top : stop - top, :]
        differences.append(logits[count:] - logits[:count])
    return torch.cat(differences, dim=-2)


def revise_edges_tiled(network: LCNDR, coarse: Tensor, under: Tensor, over: Tensor, *, rows: int) -> Tensor:
    """What ``network.revise_edges`` gives, (B, 1, H, W), in strips of so many rows, rounded up to even."""
    rows += rows % 2
    return _overlapping(network.revise_edges, (coarse, under, over), rows=rows, reach=_ERM_REACH)


def refine_tiled(network: LCNDR, revised: Tensor, under: Tensor, over: Tensor, *, rows: int) -> Tensor:
    """What ``network.refine`` gives, (B, 1, H, W), in strips of so many rows, rounded up to blocks of four."""
    steps = 0 if network.refinement is None else network.refinement.climb.shape[0]
    rows += -rows % 4
    return _overlapping(network.refine, (revised, under, over), rows=rows, reach=steps * _REFINEMENT_REACH)


def _overlapping(
    work: Callable[[Tensor, Tensor, Tensor], Tensor],
    pictures: tuple[Tensor, Tensor, Tensor],
    *,
    rows: int,
    reach: int,
) -> Tensor:
    """``work`` on strips of so many rows, each seen with as many around it as it reaches."""
    height = pictures[0].shape[-2]
    if height <= rows:
        return work(*pictures)
    pieces = []
    for start, stop in _strips(height, rows):
        top, bottom = max(0, start - reach), min(height, stop + reach)
        fused, under, over = (picture[..., top:bottom, :] for picture in pictures)
        pieces.append(work(fused, under, over)[..., start - top : stop - top, :])
    return torch.cat(pieces, dim=-2)


@dataclass(frozen=True, slots=True, eq=False)
class _LocalFeatures:
    """What SAM makes of CEM's features before it looks at the whole picture."""

    cem: CollaborativeExtraction
    sam: SelfAttention
    pictures: Tensor
    """(2B, 1, H, W): under, over."""
    others: Tensor
    """The same: over, under."""
    gate: Tensor
    """(2B, C, 1, 1), CEM's attention."""

    def rows(self, start: int, stop: int) -> Tensor:
        """(2B, attention, stop - start, W)."""
        top, bottom = max(0, start - _CEM_REACH), min(self.pictures.shape[-2], stop + _CEM_REACH)
        shallow = self.cem.shallow(self.pictures[..., top:bottom, :])
        parts = [shallow * self.gate, self.cem.convolution(shallow), self.others[..., top:bottom, :]]
        joined = torch.cat([part[..., start - top : stop - top, :] for part in parts], dim=1)
        squeezed: Tensor = self.sam.squeeze(joined)
        return squeezed


def _strips(height: int, rows: int) -> Iterator[tuple[int, int]]:
    """First row and the one after the last."""
    return ((start, min(start + rows, height)) for start in range(0, height, rows))


def _channel_gate(cem: CollaborativeExtraction, pictures: Tensor, rows: int) -> Tensor:
    """CEM's channel attention, (B, C, 1, 1), from each channel's mean and maximum."""
    height = pictures.shape[-2]
    means, maxima = [], []
    for start, stop in _strips(height, rows):
        top, bottom = max(0, start - _SHALLOW_REACH), min(height, stop + _SHALLOW_REACH)
        shallow = cem.shallow(pictures[..., top:bottom, :])[..., start - top : stop - top, :]
        means.append(shallow.mean(dim=(2, 3)) * ((stop - start) / height))
        maxima.append(shallow.amax(dim=(2, 3)))
    mean, maximum = torch.stack(means).sum(dim=0), torch.stack(maxima).amax(dim=0)
    mlp = cem.attention.mlp
    return torch.sigmoid(mlp(mean) + mlp(maximum))[:, :, None, None]


def _reduced(local_features: _LocalFeatures, rows: int) -> Tensor:
    """The whole picture's local features as ``adaptive_avg_pool2d`` reduces them for SAM."""
    height, width = local_features.pictures.shape[-2:]
    reduced_height, reduced_width = (max(1, round(side / SelfAttention.REDUCTION)) for side in (height, width))
    bins = [(row * height // reduced_height, -(-(row + 1) * height // reduced_height)) for row in range(reduced_height)]
    pooled = []
    for first, after in _strips(reduced_height, max(1, rows // SelfAttention.REDUCTION)):
        start, stop = bins[first][0], bins[after - 1][1]
        columns = F.adaptive_avg_pool2d(local_features.rows(start, stop), (stop - start, reduced_width))
        pooled += [columns[:, :, begin - start : end - start].mean(dim=2) for begin, end in bins[first:after]]
    return torch.stack(pooled, dim=2)


def _attended(sam: SelfAttention, reduced: Tensor) -> Tensor:
    """SAM's attention over all positions, added to the reduced map."""
    # Contiguous, or scaled_dot_product_attention falls back to the whole N x N matrix.
    tokens = sam.query_key_value(reduced).flatten(2).transpose(1, 2).contiguous()
    query, key, value = tokens.chunk(3, dim=-1)
    attended = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
    context: Tensor = reduced + sam.project(attended.transpose(1, 2).reshape(reduced.shape))
    return context


def _enlarged_rows(small: Tensor, start: int, stop: int, size: tuple[int, int]) -> Tensor:
    """Rows of ``F.interpolate(small, size, mode="bilinear", align_corners=False)``."""
    height, width = size
    rows = torch.arange(start, stop, device=small.device, dtype=torch.float32)
    positions = ((rows + 0.5) * (small.shape[-2] / height) - 0.5).clamp_min(0)
    above = positions.long()
    below = (above + 1).clamp_max(small.shape[-2] - 1)
    share = (positions - above)[:, None].to(small.dtype)
    between = torch.lerp(small[..., above, :], small[..., below, :], share)
    return F.interpolate(between, size=(stop - start, width), mode="bilinear", align_corners=False)
