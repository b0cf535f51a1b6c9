"""What stands in for the neighbour where it cannot be trusted: ``stages.alignment.substitute`` on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.alignment.cuda.picture import Picture, Weights, enlarged, laid_over, lookup, mean_luma, rounded
from stages.alignment.levels import Levels
from stages.alignment.plausible import NOISE_DEVIATIONS, margin_codes
from stages.alignment.standin import WHOLE
from stages.alignment.substitute import (
    CHROMA_GRAIN_PX,
    FADE_SHARE,
    GAIN_LIMITS,
    LUMA_GRAIN_PX,
    colored_codes,
    filter_taps,
    saturating_codes,
)


def lifted(reference: Picture, curve: Tensor, excess: Tensor | None, levels: Levels, top: int) -> Picture:
    """An under picture at the over picture's exposure, softened, since its noise would show multiplied.

    Args:
        reference: the under picture.
        curve: for each luma code value the new one.
        excess: (any height, any width) what colours add to that; None where they add nothing.
        levels: of the code values.
        top: largest code value.
    """
    luma = _softened(reference.luma[None], filter_taps(LUMA_GRAIN_PX).tolist())[0]
    chroma = _softened(reference.chroma, filter_taps(CHROMA_GRAIN_PX).tolist())
    brightness = mean_luma(reference.luma)
    luma = lookup(rounded(luma), curve)
    if excess is not None:
        luma = (luma + enlarged(excess[None], *luma.shape)[0]).clamp(curve[0], curve[-1])
    return Picture(luma, _amplified(chroma, brightness, curve, levels, top))


def lowered(reference: Picture, curve: Tensor, continuation: Tensor, levels: Levels, top: int) -> Picture:
    """An over picture at the under picture's exposure.

    Args:
        reference: the over picture.
        curve: for each luma code value the new one.
        continuation: (3, any height, any width) as ``Continuation`` gives it, for what is saturated.
        levels: of the code values.
        top: largest code value.
    """
    low, high = (float(code) for code in saturating_codes(levels))
    brightness = mean_luma(reference.luma)
    luma = lookup(reference.luma, curve)[None]
    chroma = _amplified(reference.chroma, brightness, curve, levels, top)
    continued = []
    for own, source, channels in ((luma, reference.luma, slice(0, 1)), (chroma, brightness, slice(1, 3))):
        around = enlarged(continuation[channels], *source.shape)
        saturated = ((source - low) / (high - low)).clamp(0, 1)
        continued.append(own + saturated * (around - own))
    return Picture(continued[0][0], continued[1])


def plausible_codes(curve: Tensor, deviation: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
    """The lowest and the highest luma code value of the neighbour for each of the reference.

    Args:
        curve: for each luma code value of the reference that of the neighbour.
        deviation: of the reference's noise, for each of its code values.
        levels: of the code values.
    """
    top, margin, white = curve.numel() - 1, margin_codes(curve.numel()), int(saturating_codes(levels)[0])
    codes = torch.arange(curve.numel(), device=curve.device)
    reach = (NOISE_DEVIATIONS * deviation).round().long()
    lowest = lookup((codes - reach).clamp(0, white), curve) - margin
    highest = lookup((codes + reach).clamp(max=top), curve) + margin
    return lowest.clamp(min=0), highest.masked_fill(codes + reach >= white, top).clamp(max=top)


def confined(
    neighbour: Picture,
    reference: Picture,
    plausible: tuple[Tensor, Tensor],
    kept: Weights,
    levels: Levels,
    *,
    reference_is_under: bool,
) -> Picture:
    """Luma of what is not fully trusted held between the lowest and the highest for the reference's.

    Of coloured pixels, luma is held from the one side that clipping channels do not leave open.
    """
    lowest, highest = (lookup(reference.luma, codes) for codes in plausible)
    colored = (reference.chroma - levels.grey).abs().sum(dim=0) > colored_codes(levels)
    height, width = reference.luma.shape
    colored = colored.repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)[:height, :width]
    above, below = torch.maximum(neighbour.luma, lowest), torch.minimum(neighbour.luma, highest)
    held = torch.where(colored, below if reference_is_under else above, torch.minimum(above, highest))
    return Picture(torch.where(kept.luma < 1, held, neighbour.luma), neighbour.chroma)


def replaced(neighbour: Picture, standin: Picture, kept: Weights) -> Picture:
    """Keeps of the neighbour what is trusted."""
    luma, chroma = ((share * (255 / WHOLE)).clamp(max=1) for share in (kept.luma, kept.chroma))
    return Picture(
        laid_over(neighbour.luma, standin.luma, luma),
        laid_over(neighbour.chroma, standin.chroma, chroma),
    )


def _amplified(chroma: Tensor, brightness: Tensor, curve: Tensor, levels: Levels, top: int) -> Tensor:
    middle = (top + 1) // 2
    gain = lookup(brightness, chroma_gains(curve, levels))
    return (gain * (chroma - middle) + middle).clamp_(0, top)


def chroma_gains(curve: Tensor, levels: Levels) -> Tensor:
    """For each luma code value of the reference the factor on its colour differences."""
    source = torch.arange(curve.numel(), device=curve.device, dtype=torch.float32) - levels.black
    target = curve - levels.black
    gain = (target / source.clamp(min=1)).clamp(*GAIN_LIMITS)
    return gain * ((levels.span - target) / (FADE_SHARE * levels.span)).clamp(0, 1)


def _softened(planes: Tensor, taps: Sequence[float]) -> Tensor:
    """(channels, h, w) through a symmetrical filter along columns and rows; the border is repeated outwards."""
    reach = len(taps) - 1
    padded = F.pad(planes[None], (reach, reach, reach, reach), mode="replicate")[0]
    for dim in (1, 2):
        count = padded.shape[dim] - 2 * reach
        total = padded.narrow(dim, reach, count) * taps[0]
        for away, tap in enumerate(taps[1:], 1):
            total.add_(padded.narrow(dim, reach - away, count), alpha=tap)
            total.add_(padded.narrow(dim, reach + away, count), alpha=tap)
        padded = total
    return padded
