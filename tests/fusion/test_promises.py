"""What anybody may expect of fusion, whatever the weights: order, sameness, empty exposures, tones, precision."""

import pytest
import torch
from torch import Tensor

from stages.fusion.lcndr import LCNDR, hold_tones, shrink_to_side
from stages.fusion.models import list_models, load_model
from tests.fusion.pictures import exposed, pair, scene


@pytest.fixture(scope="module", params=[model.name for model in list_models()])
def network(request: pytest.FixtureRequest) -> LCNDR:
    return load_model(request.param)


def difference(one: Tensor, other: Tensor) -> Tensor:
    """In code values of 8 bit."""
    return (one - other).abs() * 255


@pytest.mark.parametrize("working_side", [None, 64])
def test_the_order_of_the_exposures_does_not_matter(network: LCNDR, working_side: int | None) -> None:
    under, over = pair(96, 128)
    one, other = (network(*each, working_side=working_side) for each in ((under, over), (over, under)))
    assert difference(one, other).max() < 0.1


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (240, 320)])
def test_a_picture_fused_with_itself_stays_itself(network: LCNDR, size: tuple[int, int]) -> None:
    picture = exposed(scene(*size), 0)
    assert difference(network(picture, picture), picture).max() < 1


@pytest.mark.parametrize(("exposure", "empty"), [("over", 0.0), ("under", 1.0)])
def test_an_empty_exposure_leaves_the_others_structure(network: LCNDR, exposure: str, empty: float) -> None:
    under, over = pair(192, 256)
    content, nothing = (over if exposure == "over" else under), torch.full_like(under, empty)
    fused = network(nothing, content) if exposure == "over" else network(content, nothing)
    seen = torch.stack([fused, content]).flatten(1)
    assert torch.corrcoef(seen)[0, 1] > 0.96


def test_nothing_that_an_exposure_shows_is_lost_to_black_or_white(network: LCNDR) -> None:
    under, over = pair(192, 256)
    fused = network(under, over) * 255
    shown_dark, shown_light = over * 255 > 14, under * 255 < 241
    assert fused[shown_dark].min() > 3
    assert fused[shown_light].max() < 252


def test_what_both_exposures_lost_stays_lost() -> None:
    black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    assert hold_tones(black, black, black).max() < 1e-5
    assert hold_tones(white, white, white).min() > 1 - 1e-5


def test_tones_between_black_and_white_are_not_touched() -> None:
    values = torch.linspace(0.1, 0.9, 64)
    held = hold_tones(values, torch.full_like(values, 0.02), torch.full_like(values, 0.98))
    assert torch.allclose(held, values, atol=1e-6)


def test_half_precision_weighs_like_single(network: LCNDR) -> None:
    under, over = (shrink_to_side(luma, 128) for luma in pair(192, 256))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network.weigh(under, over).float()
    full_under, full_over = pair(192, 256)
    half = network.revise(network.blend(full_under, full_over, logits), full_under, full_over)
    assert difference(half, network(full_under, full_over, working_side=128)).mean() < 1
