"""The way towards both exposures' edges."""

import math

import torch
from torch import Tensor

from stages.fusion.preservation import FLOOR, EdgeAscent
from tests.fusion.pictures import pair


def ascent(under: Tensor, over: Tensor, *, noise: float = 1 / 255) -> EdgeAscent:
    return EdgeAscent.between(under, over, torch.tensor(noise))


def measured_preservation(fused: Tensor, exposures: tuple[Tensor, ...]) -> Tensor:
    """The sum that is climbed, as the paper writes it."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=fused.dtype) / 8

    def edges(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate")
        across, down = torch.conv2d(padded, torch.stack([kernel, kernel.T])[:, None]).split(1, dim=1)
        return across, down, torch.sqrt(across**2 + down**2 + FLOOR**2)

    across, down, strength = edges(fused)
    total = torch.zeros((), dtype=fused.dtype)
    for exposure in exposures:
        other_across, other_down, other = edges(exposure)
        ratio = (torch.minimum(strength, other) / torch.maximum(strength, other)).clamp(max=0.8)
        cosine = ((across * other_across + down * other_down) / (strength * other)).clamp(0, 0.9999)
        parallel = 1 - torch.acos(cosine) * 2 / math.pi
        total = total + (torch.sigmoid(15 * (ratio - 0.5)) * torch.sigmoid(22 * (parallel - 0.8)) * other).sum()
    return total


def test_a_step_goes_up_the_gradient_of_what_is_preserved() -> None:
    under, over = (0.8 * luma.double() for luma in pair(40, 48))
    fused = ((under + over) / 2 + 0.02 * torch.rand_like(under)).requires_grad_()
    (gradient,) = torch.autograd.grad(measured_preservation(fused, (under, over)), fused)
    step = ascent(under, over, noise=1e-13).on(fused.detach())
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    # But where edges are close already or hardly there, and the pull fades.
    assert (torch.sign(step) == torch.sign(gradient))[inside].double().mean() > 0.95
    alike = torch.nn.functional.cosine_similarity(step[inside].flatten(), gradient[inside].flatten(), dim=0)
    assert alike > 0.5


def test_the_order_of_the_exposures_does_not_matter() -> None:
    under, over = pair(67, 95)
    fused = (under + over) / 2
    assert torch.allclose(ascent(under, over).on(fused), ascent(over, under).on(fused), atol=1e-6)


def test_what_is_no_stronger_than_noise_is_left_alone() -> None:
    generator = torch.manual_seed(2)
    under, over = (0.5 + torch.randn(1, 1, 64, 64, generator=generator) / 255 for _ in range(2))
    fused = torch.full_like(under, 0.5) + torch.randn(1, 1, 64, 64, generator=generator) / 255
    assert ascent(under, over).on(fused).abs().mean() < 0.5 / 255


def test_flat_pictures_have_nowhere_to_go() -> None:
    under, over, fused = (torch.full((1, 1, 32, 48), value) for value in (0.1, 0.9, 0.4))
    assert (ascent(under, over).on(fused) == 0).all()


def test_where_white_begins_there_is_no_edge_unless_the_other_exposure_has_one() -> None:
    lamp = torch.linspace(3, 0.1, 96).expand(1, 1, 32, 96)
    under, over = 0.05 * lamp, lamp.clamp(max=1)
    fused = (under + over) / 2
    begins = int((lamp[0, 0, 0] >= 1).sum())
    around = (slice(None), slice(None), slice(None), slice(begins - 1, begins + 2))
    of_over = ascent(under, over).counts[1]
    assert of_over[around].max() < 0.3
    assert (of_over[..., begins + 12 :] == 1).all()
    frame = under.clone()
    frame[..., begins:] = 0
    assert ascent(frame, over).counts[1][around].max() == 1
    assert torch.isfinite(ascent(under, over).on(fused)).all()
