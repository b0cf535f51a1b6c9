"""How good a fused clip is, beside the same fusion of what was really there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.motion.film import Clip
from stages.fusion.mef_ssim import MefSsim

FloatArray = npt.NDArray[np.float32]

_GHOST_DIFFERENCE = 20.0
"""Of 255: a mean difference over 5 x 5 pixels that the eye takes for another thing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one clip; means over its frames unless they say otherwise."""

    mef_ssim: float
    """Against the true pair: 1 = every structure of both exposures kept."""
    psnr_db: float
    """To the upper bound; 99 for the upper bound itself."""
    worst_psnr_db: float
    """Of the worst frame."""
    sharp_psnr_db: float
    """To the same fusion of what shutters that are open for an instant would have shown."""
    flicker: float
    """Mean of |Y(t) - (Y(t-1) + Y(t+1)) / 2| of 255, the neighbours brought along the true motion, where both see
    the point."""
    ghost_percent: float
    """Share of the picture that differs from the upper bound as another thing would."""


def measure(
    fused: Sequence[FloatArray], bound: Sequence[FloatArray], sharp: Sequence[FloatArray], clip: Clip
) -> Figures:
    """Figures of fused luma, one (h, w) picture of 0 to 255 for each frame of the clip.

    Args:
        fused: by a method.
        bound: the same fusion of ``clip.truth``.
        sharp: of ``clip.sharp``.
        clip: what was fused.
    """
    psnr = [_psnr_db(picture, best) for picture, best in zip(fused, bound, strict=True)]
    ghosts = [_ghost_share(picture, best) for picture, best in zip(fused, bound, strict=True)]
    return Figures(
        mef_ssim=float(np.mean(_mef_ssim(fused, clip))),
        psnr_db=float(np.mean(psnr)),
        worst_psnr_db=min(psnr),
        sharp_psnr_db=float(np.mean([_psnr_db(picture, best) for picture, best in zip(fused, sharp, strict=True)])),
        flicker=_flicker(fused, clip),
        ghost_percent=100 * float(np.mean(ghosts)),
    )


def _mef_ssim(fused: Sequence[FloatArray], clip: Clip) -> list[float]:
    scores = []
    for picture, pair in zip(fused, clip.truth, strict=True):
        sources = torch.from_numpy(np.stack([(planes.luma.astype(np.float32) - 16) / 219 for planes in pair]))
        scores.append(float(MefSsim(sources[None])(torch.from_numpy(picture / np.float32(255))[None, None])))
    return scores


def _psnr_db(picture: FloatArray, best: FloatArray) -> float:
    return min(99.0, float(10 * np.log10(255**2 / max(float(np.mean((picture - best) ** 2)), 1e-9))))


def _ghost_share(picture: FloatArray, best: FloatArray) -> float:
    difference = cv2.blur(picture, (5, 5)) - cv2.blur(best, (5, 5))
    return float(np.mean(np.abs(difference) > _GHOST_DIFFERENCE))


def _flicker(fused: Sequence[FloatArray], clip: Clip) -> float:
    changes = []
    for index in range(1, len(fused) - 1):
        beside, visible = [], np.ones(fused[index].shape, np.bool_)
        for other in (index - 1, index + 1):
            flow = clip.flows[index, other]
            rows, columns = np.indices(visible.shape, np.float32)
            x, y = (np.nan_to_num(flow.displacement[..., axis], nan=-1e4) for axis in (0, 1))
            beside.append(cv2.remap(fused[other], x + columns, y + rows, cv2.INTER_LINEAR))
            visible &= flow.visible
        changes.append(float(np.abs(fused[index] - (beside[0] + beside[1]) / 2)[visible].mean()))
    return float(np.mean(changes))
