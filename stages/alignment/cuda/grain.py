"""Noise of a picture, and taking it away with what was seen before: ``stages.alignment.grain`` on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.alignment.cuda.picture import Picture, Weights, lookup, rounded
from stages.alignment.grain import (
    FEWEST_SAMPLES,
    LEVELS,
    MOVED_WEIGHT,
    QUIET_DEVIATIONS,
    QUIET_SHARE,
    ROUNDING,
    STILL_WEIGHT,
    TOLERATED_DEVIATIONS,
    WARP_ERROR,
    row_step,
)


@dataclass(frozen=True, slots=True, eq=False)
class Grain:
    """Noise of the three planes of a picture."""

    deviation: Tensor
    """(3, code values) in code values, for each of them."""
    mean: Tensor
    """(3,) over each plane, in 8-bit code values."""

    @classmethod
    def of(cls, picture: Picture, size: int) -> Grain:
        """Of a picture with so many code values."""
        planes = (picture.luma, *picture.chroma)
        ranks = torch.stack([_bends(plane, size) for plane in planes]).cumsum(2)
        total, widest = ranks[:, :, -1], ranks.shape[2]
        known = total >= FEWEST_SAMPLES
        wanted = QUIET_SHARE * total[:, :, None]
        # Between the last count that does not exceed the one wanted and the next one.
        below = (ranks <= wanted).sum(2, keepdim=True) - 1
        here, after = (ranks.gather(2, (below + step).clamp(0, widest - 1)) for step in (0, 1))
        part = (wanted - here) / (after - here).clamp(min=1)
        quiet = (below + 0.5 + part).masked_fill_(below < 0, 0.5)[:, :, 0]
        deviation = quiet / (QUIET_DEVIATIONS * 6**0.5)
        weights = total * known
        mean = (deviation * weights).sum(1) / weights.sum(1).clamp(min=1) * (256 / size)
        return cls(_between_levels(deviation, known, size), mean)


def memory_share(grain: Tensor, stillness: Tensor) -> Tensor:
    """(h, w) weight of what is remembered.

    Args:
        grain: one number, ``Grain.mean`` of luma.
        stillness: (h, w) in [0, 1]: how little the remembered picture was warped.
    """
    moved = MOVED_WEIGHT * grain.square() / (grain.square() + WARP_ERROR**2)
    return (moved + (STILL_WEIGHT - moved) * stillness).float()


def steady(frame: Picture, remembered: Picture, share: Weights, grain: Grain) -> Picture:
    """A frame drawn towards what was seen before, nowhere by more than its own noise."""
    allowed = (TOLERATED_DEVIATIONS * grain.deviation + ROUNDING).round().float()
    pairs = zip(frame.chroma, remembered.chroma, allowed[1:], strict=True)
    chroma = [_drawn(own, before, share.chroma, most) for own, before, most in pairs]
    return Picture(_drawn(frame.luma, remembered.luma, share.luma, allowed[0]), torch.stack(chroma))


def _drawn(plane: Tensor, remembered: Tensor, share: Tensor, allowed: Tensor) -> Tensor:
    most = lookup(plane, allowed)
    change = torch.maximum(torch.minimum(remembered - plane, most), -most)
    return rounded(torch.addcmul(plane, share, change))


def _bends(plane: Tensor, size: int) -> Tensor:
    """(levels, widest) counts of pixels by level of brightness and second difference along the row."""
    rows, widest = plane[:: row_step(plane.shape[0])], size // 4
    middle = rows[:, 1:-1]
    bend = (rows[:, :-2] - 2 * middle + rows[:, 2:]).abs_().clamp_(max=widest - 1)
    places = ((middle * (LEVELS / size)).floor_() * widest + bend).long().flatten()
    counts = torch.zeros(LEVELS * widest, device=plane.device, dtype=torch.float64)
    return counts.scatter_add_(0, places, torch.ones_like(places, dtype=torch.float64)).view(LEVELS, widest)


def _between_levels(deviation: Tensor, known: Tensor, size: int) -> Tensor:
    """(3, size) from (3, levels): straight between those that are known, which lie in the middle of their codes."""
    number = torch.arange(LEVELS, device=deviation.device)
    each = number.expand_as(known)
    last = each.masked_fill(~known, -1).cummax(1).values
    following = each.masked_fill(~known, LEVELS).flip(1).cummin(1).values.flip(1)
    place = torch.arange(size, device=deviation.device, dtype=torch.float64) * (LEVELS / size) - 0.5
    below = place.floor().long()
    before = last.index_select(1, below.clamp(min=0)).masked_fill_(below < 0, -1)
    after = following.index_select(1, (below + 1).clamp(max=LEVELS - 1)).masked_fill_(below + 1 >= LEVELS, LEVELS)
    # Beyond the outermost level its own value holds.
    left, right = torch.where(before < 0, after, before), torch.where(after == LEVELS, before, after)
    low, high = (deviation.gather(1, level.clamp(0, LEVELS - 1)) for level in (left, right))
    part = ((place - left) / (right - left).clamp(min=1)).clamp(0, 1)
    return (low + part * (high - low)) * known.any(1, keepdim=True)
