"""An exposure that shows nothing gives way to the other on a GPU, too; on the stand-in for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.device.standin import StandInQueue
from stages.frame import BT709, Planes
from stages.fusion.codes import CodeValues
from stages.fusion.cuda.empty import own_shares, with_shares
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import synthetic_pair
from stages.fusion.empty import shown, stand_in_for_empty
from stages.fusion.lcndr import LCNDR, Widths

CODES = CodeValues.of(BT709, 8)


def lamp(count: int) -> Planes:
    """Black but for so many bright areas."""
    luma = np.full((96, 128), 16, np.uint8)
    for index in range(count):
        luma[8 * (index // 4) : 8 * (index // 4) + 8, 16 * (index % 4) :][:, :8] = 120
    return Planes(luma, np.full((2, 48, 64), 128, np.uint8))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_shares_are_those_of_the_processor(count: int) -> None:
    _, over = synthetic_pair(128, 96, bit_depth=8)
    luma = torch.from_numpy(np.stack([lamp(count).luma, over.luma]))
    shares = own_shares(luma, CODES)
    assert shares.tolist() == pytest.approx([shown(lamp(count).luma, CODES), 1])
    wanted = np.stack([planes.luma for planes in stand_in_for_empty(lamp(count), over, CODES)])
    assert np.abs(with_shares(luma.float(), shares).numpy() - wanted).max() <= 0.5


def test_two_that_show_nothing_stay_as_they_are() -> None:
    luma = torch.from_numpy(np.stack([lamp(0).luma, lamp(0).luma + 219]))
    assert own_shares(luma, CODES).tolist() == [1, 1]


def test_a_covered_lens_veils_nothing() -> None:
    network = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=8)).eval()
    _, over = synthetic_pair(48, 40, bit_depth=8)
    black = Planes(np.full_like(over.luma, 16), np.full_like(over.chroma, 128))
    fuser = CudaFuser(network, "full", StandInQueue(), precision="single")
    (covered,), (alone,) = fuser.push(black, over, BT709), fuser.push(over, over, BT709)
    assert (covered.luma == alone.luma).all()
    assert (covered.chroma == alone.chroma).all()
