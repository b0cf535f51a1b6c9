"""The multi-scale blend, its judges set at random."""

import pytest
import torch

from stages.fusion.blend import SHARED_FROM_LEVEL, MultiScaleBlend
from tests.fusion.pictures import pair


def blend(judged_levels: int = SHARED_FROM_LEVEL) -> MultiScaleBlend:
    torch.manual_seed(judged_levels)
    made = MultiScaleBlend(judged_levels).requires_grad_(False)
    torch.nn.init.normal_(made.judge.second, std=0.3)
    torch.nn.init.normal_(made.gradient)
    return made


def logits(height: int = 9, width: int = 12) -> torch.Tensor:
    return torch.randn(1, 2, height, width, generator=torch.manual_seed(5))


@pytest.mark.parametrize("judged_levels", [SHARED_FROM_LEVEL, 2])
def test_the_order_of_the_exposures_does_not_matter(judged_levels: int) -> None:
    under, over = pair(67, 95)
    made, maps = blend(judged_levels), logits()
    assert torch.allclose(made(under, over, maps), made(over, under, -maps), atol=1e-5)


def test_a_picture_blended_with_itself_stays_as_it_is() -> None:
    under, _ = pair(67, 95)
    assert torch.allclose(blend()(under, under, logits()), under, atol=1e-5)


def test_structure_is_taken_from_where_it_is() -> None:
    texture = torch.rand(1, 1, 64, 96, generator=torch.manual_seed(1))
    under, over = texture.clone(), texture.clone()
    under[..., :48], over[..., 48:] = 0, 1
    made = MultiScaleBlend()
    fused = made(under, over, torch.zeros(1, 2, 4, 6)).detach()
    for columns, shown in ((slice(8, 40), over), (slice(56, 88), under)):
        seen, there = ((picture[..., columns] - picture[..., columns].mean()).flatten() for picture in (fused, shown))
        assert torch.nn.functional.cosine_similarity(seen, there, dim=0) > 0.99


def test_a_blend_starts_from_one_with_more_judges() -> None:
    teacher, student = blend(), blend(4)
    student.start_from(teacher)
    assert torch.equal(student.guidance, teacher.guidance)
    assert torch.equal(student.judge.first, teacher.judge.first[-4:])
    assert student.judged_from == 2
