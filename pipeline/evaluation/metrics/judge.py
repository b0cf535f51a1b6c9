"""All metrics of a fused picture against its sources, and what each of them means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from pipeline.evaluation.metrics.color import color_fidelity, expected_chroma, lab
from pipeline.evaluation.metrics.detail import average_gradient, entropy_bits
from pipeline.evaluation.metrics.edges import q_abf
from pipeline.evaluation.metrics.information import viff
from pipeline.evaluation.metrics.tones import clipped_share, tone_reversal
from pipeline.evaluation.picture import Picture, luma_of
from stages.errors import SourceError
from stages.fusion.mef_ssim import SMALLEST_SIDE, MefSsim

Scores = dict[str, float]
"""By the keys of ``METRICS``."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the table."""

    title: str
    digits: int
    """After the point."""
    best: Literal["high", "low", "one"]
    """Which value is the best: the highest, the lowest, or the one nearest to 1."""
    meaning: str
    """One line for the report."""


METRICS: Final[dict[str, Metric]] = {
    "mef_ssim": Metric(
        "MEF-SSIM", 4, "high", "Structure kept of both sources; luma, three scales. Ma, Zeng, Wang, IEEE TIP 2015."
    ),
    "q_abf": Metric("Q^AB/F", 4, "high", "Edges kept of both sources; luma. Xydeas, Petrovic, El. Letters 2000."),
    "viff": Metric(
        "VIFF",
        4,
        "high",
        "Visual information kept; lightness; over 1 where contrast rose. Han et al., Inf. Fusion 2013.",
    ),
    "entropy": Metric("entropy", 3, "high", "Of the luma histogram, bits. Noise raises it."),
    "average_gradient": Metric("avg grad", 2, "high", "Mean gradient of luma, code values. Noise raises it."),
    "clipped": Metric("clipped", 4, "low", "Share of pixels with luma at most 3 or at least 252."),
    "tone_reversal": Metric(
        "tone rev", 4, "low", "Share of coarse gradient energy that points against the sum of the sources' gradients."
    ),
    "chroma_distance": Metric(
        "chroma d", 2, "low", "Mean CIELAB ab distance to the sources' ab, averaged by well-exposedness."
    ),
    "hue_distance": Metric("hue d", 2, "low", "The part of the chroma distance that is a change of hue."),
    "saturation": Metric("saturation", 3, "one", "Mean chroma over the sources' mean chroma."),
}
"""In the order of the table."""


class Judge:
    """Judges fused pictures of one pair; the sources are analysed once.

    Args:
        under: the shorter exposure, as clean as it is known.
        over: the longer one, same size.

    Raises:
        SourceError: the pictures are too small to be judged.
    """

    def __init__(self, under: Picture, over: Picture) -> None:
        height, width = under.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            raise SourceError(f"{width}x{height} pixels are too few: metrics need {SMALLEST_SIDE} each way")
        self._lumas = (luma_of(under), luma_of(over))
        self._mef_ssim = MefSsim(torch.from_numpy(np.stack(self._lumas)).float()[None] / 255)
        (self._under_lightness, of_under), (self._over_lightness, of_over) = lab(under), lab(over)
        self._chroma = expected_chroma((of_under, of_over), self._lumas)

    def scores(self, fused: Picture) -> Scores:
        """Every metric of a fused picture of the sources' size."""
        luma = luma_of(fused)
        lightness, chroma = lab(fused)
        colors = color_fidelity(chroma, self._chroma)
        with torch.inference_mode():
            structure = float(self._mef_ssim(torch.from_numpy(luma).float()[None, None] / 255))
        return {
            "mef_ssim": structure,
            "q_abf": q_abf(*self._lumas, luma),
            "viff": viff(self._under_lightness, self._over_lightness, lightness),
            "entropy": entropy_bits(luma),
            "average_gradient": average_gradient(luma),
            "clipped": clipped_share(luma),
            "tone_reversal": tone_reversal(*self._lumas, luma),
            "chroma_distance": colors.chroma_distance,
            "hue_distance": colors.hue_distance,
            "saturation": colors.saturation,
        }
