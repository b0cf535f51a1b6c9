"""CEM and SAM compiled, against the network's own."""

import numpy as np
import pytest
import torch

from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.strips import Strips
from tests.fusion.pictures import pair

pytest.importorskip("numba")

from stages.fusion.compiled.network import CompiledWeights


# Reduced by 8 they have one place, fewer than a block of the attention, and several blocks.
@pytest.mark.parametrize("size", [(11, 9), (20, 40), (36, 64), (45, 80), (70, 131), (135, 240)])
@pytest.mark.parametrize("widths", [(8, 16, 16, 16), (6, 10, 7, 5)])
def test_weight_maps_of_any_size_are_the_networks_own(size: tuple[int, int], widths: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    made = LCNDR(Widths(*widths, revision=4)).eval().requires_grad_(False)
    for name in ("sam.query_key_value.weight", "sam.weigh.2.weight"):
        torch.nn.init.normal_(made.get_parameter(name), std=0.5)
    pictures = pair(*size)
    weights = CompiledWeights(made, size)
    for luma, picture in zip(weights.lumas, pictures, strict=True):
        luma[1:-1, 1 : 1 + size[1]] = picture[0, 0].numpy()
    expected = made.weigh(*pictures)[0].numpy()
    for _ in range(2):
        Strips(1).run(weights.passes([]))
        assert np.abs(weights.logits() - expected).max() < 1e-4 * np.abs(expected).max()
