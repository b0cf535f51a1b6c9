"""Large pictures in strips: what comes out is what the network gives for the whole."""

import pytest
import torch
from torch import Tensor

from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.tiles import fuse_tiled, refine_tiled, revise_edges_tiled, strip_rows, weigh_tiled
from tests.fusion.pictures import pair

SIZES = [(96, 128), (97, 131), (203, 61), (65, 40), (64, 33)]


@pytest.fixture(scope="module")
def network() -> LCNDR:
    torch.manual_seed(0)
    network = LCNDR(Widths(shallow=8, middle=12, deep=16, attention=8, revision=8))
    # As after training: a fresh network's revision is zero, its attention hardly noticeable.
    torch.nn.init.normal_(network.erm.refine[-1].weight, std=0.3)
    torch.nn.init.normal_(network.sam.project.weight, std=1.0)
    torch.nn.init.normal_(network.sam.weigh[-1].weight, std=10.0)
    return network.eval().requires_grad_(False)


def greatest_difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [7, 16, 64])
def test_strips_give_the_logits_of_the_whole(network: LCNDR, size: tuple[int, int], rows: int) -> None:
    under, over = pair(*size)
    whole = network.weigh(under, over)
    assert whole.std() > 0.1
    assert greatest_difference(weigh_tiled(network, under, over, rows=rows), whole) < 1e-4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [7, 16, 64])
def test_strips_give_the_revision_of_the_whole(network: LCNDR, size: tuple[int, int], rows: int) -> None:
    under, over = pair(*size)
    coarse = (under + over) / 2
    whole = network.revise_edges(coarse, under, over)
    assert greatest_difference(whole, coarse) > 0.02
    assert greatest_difference(revise_edges_tiled(network, coarse, under, over, rows=rows), whole) < 1e-5


@pytest.mark.parametrize("size", [*SIZES, (451, 50)])
@pytest.mark.parametrize("rows", [7, 16, 64])
def test_strips_give_the_refinement_of_the_whole(network: LCNDR, size: tuple[int, int], rows: int) -> None:
    under, over = pair(*size)
    coarse = (under + over) / 2
    whole = network.refine(coarse, under, over)
    assert greatest_difference(whole, coarse) > 0.02
    assert greatest_difference(refine_tiled(network, coarse, under, over, rows=rows), whole) < 1e-4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("working_side", [None, 64])
def test_strips_give_the_fused_picture_within_one_code_value(
    network: LCNDR, size: tuple[int, int], working_side: int | None
) -> None:
    under, over = pair(*size)
    whole = network(under, over, working_side=working_side)
    tiled = fuse_tiled(network, under, over, working_side=working_side, rows=24)
    assert greatest_difference(tiled, whole) < 0.1 / 255


def test_pictures_of_a_batch_do_not_touch_each_other(network: LCNDR) -> None:
    first, second = pair(seed=1), pair(seed=2)
    both = [torch.cat(pictures) for pictures in zip(first, second, strict=True)]
    together = fuse_tiled(network, *both, working_side=None, rows=24)
    assert greatest_difference(together[1:], network(*second)) < 1e-4


def test_a_picture_that_is_one_strip_is_not_cut(network: LCNDR) -> None:
    under, over = pair(64, 64)
    assert torch.equal(fuse_tiled(network, under, over, working_side=None, rows=64), network(under, over))


@pytest.mark.parametrize("size", [(3000, 4000), (1080, 1920), (4320, 8192)])
def test_large_pictures_have_strips_of_a_bounded_number_of_pixels(size: tuple[int, int]) -> None:
    height, width = size
    assert 16 <= strip_rows(height, width) <= (1 << 18) // width


def test_up_to_a_megapixel_pictures_stay_whole() -> None:
    assert strip_rows(720, 1280) == 720
