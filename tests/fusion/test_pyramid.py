import pytest
import torch

from stages.fusion import pyramid


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (5, 200), (4, 4), (1, 1)])
def test_a_level_comes_back_at_the_size_it_was_reduced_from(size: tuple[int, int]) -> None:
    picture = torch.rand(2, 1, *size)
    smaller = pyramid.reduce(picture)
    assert smaller.shape == (2, 1, -(-size[0] // 2), -(-size[1] // 2))
    assert pyramid.expand(smaller, size).shape == picture.shape


def test_the_pyramid_goes_down_to_the_last_few_pixels() -> None:
    assert pyramid.level_sizes(1080, 1920)[-1] == (5, 8)


@pytest.mark.parametrize("size", [(16, 16), (15, 17)])
def test_levels_keep_a_constant_constant(size: tuple[int, int]) -> None:
    picture = torch.full((1, 1, *size), 0.3)
    smaller = pyramid.reduce(picture)
    assert torch.allclose(smaller, torch.full_like(smaller, 0.3))
    assert torch.allclose(pyramid.expand(smaller, size), picture)
