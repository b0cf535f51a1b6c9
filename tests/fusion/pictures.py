"""Small generated exposure pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor


def scene(height: int, width: int, *, seed: int = 0) -> Tensor:
    """Random radiance (1, 1, height, width): broad lights and shadows of about eight stops, fine texture on them."""
    rng = np.random.default_rng(seed)
    log_radiance = torch.zeros(1, 1, height, width, dtype=torch.float64)
    for cell, stops in ((32, 2.0), (4, 0.3), (2, 0.2)):
        noise = torch.from_numpy(rng.standard_normal((1, 1, height // cell + 2, width // cell + 2)))
        log_radiance += stops * F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    return torch.exp2(log_radiance).float()


def exposed(radiance: Tensor, stops: float) -> Tensor:
    """Gamma-encoded, clipped, in [0, 1]."""
    return (radiance * 0.2 * 2**stops).clamp(0, 1) ** (1 / 2.2)


def pair(height: int = 96, width: int = 128, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Under and over, three stops apart."""
    radiance = scene(height, width, seed=seed)
    return exposed(radiance, -1.5), exposed(radiance, 1.5)


def codes(luma: Tensor, *, bit_depth: int = 8) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Limited-range code values of luma in [0, 1]."""
    unit = 1 << (bit_depth - 8)
    values = (luma[0, 0].numpy() * 219 + 16) * unit
    return np.rint(values).astype(np.uint8 if bit_depth == 8 else np.uint16)
