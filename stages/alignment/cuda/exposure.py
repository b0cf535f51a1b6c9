"""Differences of exposure, and curves on luma: ``stages.alignment.exposure`` and ``curve`` on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.alignment.cuda.picture import Picture, lookup, mean_luma, rounded
from stages.alignment.exposure import (
    ENCODING,
    FEWEST_SPOTS,
    KNEE,
    LARGEST_SHARE,
    MID_TONES,
    SMALLEST_STOPS,
    TREMOR_STOPS,
)
from stages.alignment.levels import Levels


def difference_stops(wanted: Tensor, given: Tensor, alike: Tensor, levels: Levels) -> Tensor:
    """By how much more ``wanted`` was exposed than ``given``, one number; 0 where too little tells.

    Args:
        wanted: luma code values at some spots.
        given: what another picture shows there.
        alike: bool, whether both show the same.
        levels: of the code values.
    """
    if wanted.numel() == 0:
        # A picture so wide or high that no spot lies within.
        return torch.zeros((), dtype=torch.float64, device=wanted.device)
    low, high = (levels.black + share * levels.span for share in MID_TONES)
    known = alike & (torch.minimum(wanted, given) > low) & (torch.maximum(wanted, given) < high)
    count = known.sum()
    ratio = (wanted.double() - levels.black) / (given.double() - levels.black)
    # Those that tell nothing come last.
    ordered = ratio.masked_fill(~known, torch.inf).flatten().sort().values
    middle = torch.stack([(count - 1).clamp(min=0) // 2, (count // 2).clamp(max=ordered.numel() - 1)])
    median = ordered.index_select(0, middle).mean()
    return (median.log2() / ENCODING).masked_fill(count < FEWEST_SPOTS, 0)


def tremor_stops(stops: Tensor, frames_seen: int) -> Tensor:
    """What of a difference to the frames before is to be evened out."""
    small, large = TREMOR_STOPS
    alike_seen = frames_seen // 2
    share = min(alike_seen / (alike_seen + 1), LARGEST_SHARE)
    return share * stops * ((large - stops.abs()) / (large - small)).clamp(0, 1)


def exposed_by(picture: Picture, stops: Tensor, levels: Levels, top: int) -> Picture:
    """A picture as if exposed by so much more."""
    values, gains = _curve(top + 1, stops, levels)
    unchanged = stops.abs() < SMALLEST_STOPS
    values = torch.where(unchanged, torch.arange(top + 1, device=values.device, dtype=values.dtype), values)
    gains = gains.masked_fill(unchanged, 1)
    middle = (top + 1) // 2
    gain = lookup(mean_luma(picture.luma), gains)
    chroma = rounded(gain * (picture.chroma - middle) + middle).clamp_(0, top)
    return Picture(lookup(picture.luma, values), chroma)


def curve_exposed_by(curve: Tensor, stops: Tensor, levels: Levels) -> Tensor:
    """An intensity mapping whose result is exposed by so much more."""
    return lookup(curve, _curve(curve.numel(), stops, levels)[0])


def _curve(size: int, stops: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
    """For each luma code value the new one, and the factor on the colour differences."""
    gain = torch.exp2(stops.double() * ENCODING)
    codes = torch.arange(size, device=stops.device, dtype=torch.float64)
    shares = (codes - levels.black) / levels.span
    knee, height = (KNEE / gain).clamp(max=KNEE), (KNEE * gain).clamp(max=KNEE)
    bent = torch.where(shares < knee, shares * height / knee, height + (shares - knee) * (1 - height) / (1 - knee))
    new = torch.where((shares > 0) & (shares < 1), levels.black + bent * levels.span, codes)
    gains = ((new - levels.black) / (codes - levels.black).clamp(min=1)).masked_fill(shares <= 0, 1)
    return new.round().float(), gains.float()
