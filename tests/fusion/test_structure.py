"""The steps towards the ideal patches."""

import pytest
import torch
from torch import Tensor

from stages.fusion.blend import MultiScaleBlend
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.structure import REVISED_LEVELS, StructureRevision
from tests.fusion.pictures import pair


def revised(level: int, fused: Tensor, under: Tensor, over: Tensor) -> Tensor:
    return StructureRevision().requires_grad_(False)(level, fused, under, over)


@pytest.mark.parametrize("level", range(1, REVISED_LEVELS + 1))
def test_a_picture_of_itself_stays_as_it_is(level: int) -> None:
    under, _ = pair(67, 95)
    assert torch.allclose(revised(level, under, under, under), under, atol=1e-5)


def test_the_order_of_the_exposures_does_not_matter() -> None:
    under, over = pair(67, 95)
    fused = (under + over) / 2
    assert torch.allclose(revised(1, fused, under, over), revised(1, fused, over, under), atol=1e-5)


def test_a_blend_comes_closer_to_what_both_exposures_show() -> None:
    under, over = pair(150, 201)
    blend = MultiScaleBlend().requires_grad_(False)
    maps, score = torch.zeros(1, 2, 4, 6), MefSsim(torch.cat([under, over], dim=1))
    with_steps = blend(under, over, maps)
    blend.structure = None
    assert score(with_steps) > score(blend(under, over, maps)) + 0.001


def test_flat_pictures_stay_flat() -> None:
    under, over = torch.full((1, 1, 32, 48), 0.1), torch.full((1, 1, 32, 48), 0.9)
    fused = torch.full((1, 1, 32, 48), 0.4)
    assert torch.allclose(revised(1, fused, under, over), fused, atol=1e-5)


def test_brightness_does_not_shift_what_is_drawn() -> None:
    under, over = (0.5 * picture for picture in pair(67, 95))
    fused = (under + over) / 2
    shifted = revised(1, fused + 0.3, under + 0.3, over + 0.3)
    assert torch.allclose(shifted - 0.3, revised(1, fused, under, over), atol=1e-5)


def test_only_some_levels_are_revised_and_no_tiny_ones() -> None:
    some = StructureRevision(2)
    assert [level for level in range(9) if some.revises(level, 64, 64)] == [REVISED_LEVELS - 1, REVISED_LEVELS]
    assert not some.revises(REVISED_LEVELS, 7, 64)


def test_structures_that_cancel_are_not_blown_up() -> None:
    texture = torch.rand(1, 1, 64, 64, generator=torch.manual_seed(1))
    fused = revised(1, torch.full_like(texture, 0.5), texture, 1 - texture)
    assert (fused - 0.5).abs().max() < 1
    assert torch.isfinite(fused).all()
