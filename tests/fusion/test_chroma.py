"""How vivid fused colours are; which exposure they come from, ``test_fuser`` tells."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from stages.fusion.chroma import MOST_VIVID, fuse_chroma

KR, KB = 0.2126, 0.0722
ORANGE = torch.tensor([-0.1, 0.12])[None, :, None, None].expand(1, 2, 4, 4)
NONE = torch.zeros(1, 2, 4, 4)


def flat(luma: float) -> Tensor:
    return torch.full((1, 1, 8, 8), luma)


def lab_chroma(luma: float, chroma: Tensor) -> float:
    """CIELAB's, of a flat area."""
    cb, cr = (float(each) for each in chroma[0, :, 2, 2])
    red, blue = luma + 2 * (1 - KR) * cr, luma + 2 * (1 - KB) * cb
    green = (luma - KR * red - KB * blue) / (1 - KR - KB)
    lab = cv2.cvtColor(np.array([[[red, green, blue]]], np.float32), cv2.COLOR_RGB2Lab)[0, 0]
    return float(np.hypot(lab[1], lab[2]))


@pytest.mark.parametrize("fused", [0.35, 0.45, 0.6, 0.75])
def test_a_colour_is_as_vivid_in_a_darker_or_brighter_picture(fused: float) -> None:
    before = lab_chroma(0.5, ORANGE)
    after = lab_chroma(fused, fuse_chroma(flat(0.5), flat(0.5), flat(fused), ORANGE, ORANGE, (KR, KB)))
    assert after == pytest.approx(before, rel=0.03)
    assert abs(lab_chroma(fused, ORANGE) - before) > 2 * abs(after - before)


def test_a_picture_as_bright_as_its_exposures_keeps_its_chroma() -> None:
    fused = fuse_chroma(flat(0.3), flat(0.3), flat(0.3), ORANGE, ORANGE, (KR, KB))
    assert torch.allclose(fused, ORANGE)


def test_chroma_of_the_dark_rises_by_a_fifth_at_most() -> None:
    fused = fuse_chroma(flat(0.01), flat(0.02), flat(0.9), ORANGE, ORANGE, (KR, KB))
    assert torch.allclose(fused, MOST_VIVID * ORANGE)


@pytest.mark.parametrize("fused", [-0.1, 0.0, 0.5, 1.0, 1.1])
@pytest.mark.parametrize("exposure", [-0.07, 0.0, 1.09])
def test_lumas_beyond_black_and_white_leave_chroma_in_its_range(fused: float, exposure: float) -> None:
    chroma = fuse_chroma(flat(exposure), flat(exposure), flat(fused), 4 * ORANGE, 4 * ORANGE, (KR, KB))
    assert chroma.isfinite().all()
    assert chroma.abs().max() <= 0.5
    assert torch.equal(fuse_chroma(flat(exposure), flat(exposure), flat(fused), NONE, NONE, (KR, KB)), NONE)
