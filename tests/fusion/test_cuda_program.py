"""What a CUDA graph asks of the program: everything happens on the device, from the first operation to the last."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stages.frame import BT709
from stages.fusion.ablation import PARTS, switch_off
from stages.fusion.cuda.network import DeviceNetwork
from stages.fusion.cuda.program import Format, PairProgram
from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.mode import Mode
from tests.devices import DevicesSeen

WIDTHS = Widths(shallow=8, middle=8, deep=8, attention=8, revision=8)


def operations_elsewhere(network: LCNDR, mode: Mode, size: tuple[int, int]) -> list[str]:
    """Operations that would touch the host if the meta device, which computes nothing, were a GPU."""
    picture = Format(*size, 8, BT709)
    program = PairProgram(DeviceNetwork(network, mode, torch.float16).to("meta"), picture)
    pair = torch.empty(2 * picture.codes, dtype=picture.dtype, device="meta")
    fused = torch.empty(picture.codes, dtype=picture.dtype, device="meta")
    seen = DevicesSeen()
    with torch.inference_mode(), seen:
        program(pair, fused)
    assert seen.operations > 50
    return seen.elsewhere


@pytest.mark.parametrize("mode", ["full", "stream"])
@pytest.mark.parametrize("size", [(96, 128), (67, 95)])
def test_the_program_takes_nothing_from_the_host(mode: Mode, size: tuple[int, int]) -> None:
    assert operations_elsewhere(LCNDR(WIDTHS), mode, size) == []


@pytest.mark.parametrize("part", PARTS)
def test_nor_does_one_with_a_part_switched_off(part: str) -> None:
    assert operations_elsewhere(switch_off(LCNDR(WIDTHS), [part]), "full", (96, 128)) == []


def test_nor_does_one_that_works_in_strips() -> None:
    assert operations_elsewhere(LCNDR(WIDTHS), "full", (2160, 3840)) == []


def test_the_check_sees_what_comes_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def weigh(self: DeviceNetwork, lumas: Tensor) -> Tensor:
        return torch.tensor([1.0, 2.0], device=lumas.device)[None, :, None, None].to(lumas.dtype)

    monkeypatch.setattr(DeviceNetwork, "weigh", weigh)
    assert operations_elsewhere(LCNDR(WIDTHS), "full", (96, 128)) != []
