"""The steps towards both exposures' edges."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from pipeline.evaluation.metrics.edges import q_abf
from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.preservation import EdgePreservation
from stages.fusion.strips import Strips
from tests.fusion.pictures import pair


def preserved(fused: Tensor, under: Tensor, over: Tensor, *, steps: int = 3) -> Tensor:
    return EdgePreservation(steps).requires_grad_(False)(fused, under, over)


def stored(luma: Tensor) -> npt.NDArray[np.uint8]:
    return (luma[0, 0] * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def measured_preservation(fused: Tensor, exposures: tuple[Tensor, ...], floor: float) -> Tensor:
    """The sum that is climbed, as the paper writes it."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=fused.dtype) / 8

    def edges(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate")
        across, down = torch.conv2d(padded, torch.stack([kernel, kernel.T])[:, None]).split(1, dim=1)
        return across, down, torch.sqrt(across**2 + down**2 + floor**2)

    across, down, strength = edges(fused)
    total = torch.zeros((), dtype=fused.dtype)
    for exposure in exposures:
        other_across, other_down, other = edges(exposure)
        ratio = (torch.minimum(strength, other) / torch.maximum(strength, other)).clamp(max=0.8)
        cosine = ((across * other_across + down * other_down).abs() / (strength * other)).clamp(max=0.9999)
        parallel = 1 - torch.acos(cosine) * 2 / math.pi
        total = total + (torch.sigmoid(15 * (ratio - 0.5)) * torch.sigmoid(22 * (parallel - 0.8)) * other).sum()
    return total


def test_a_fused_picture_keeps_more_of_both_exposures_edges() -> None:
    under, over = pair(150, 201)
    fused = (under + over) / 2
    before, after = (
        q_abf(stored(under), stored(over), stored(each)) for each in (fused, preserved(fused, under, over))
    )
    assert after > before + 0.02


def test_a_step_goes_up_the_gradient_of_what_is_preserved() -> None:
    under, over = (luma.double() for luma in pair(40, 48))
    fused = ((under + over) / 2 + 0.02 * torch.rand_like(under)).requires_grad_()
    module = EdgePreservation(1).double().requires_grad_(False)
    module.noise.fill_(-30.0)
    module.floor.fill_(math.log(1e-5))
    (gradient,) = torch.autograd.grad(measured_preservation(fused, (under, over), float(module.floor.exp())), fused)
    step = module(fused.detach(), under, over) - fused.detach()
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    # But where edges are close already, and the pull fades.
    assert (torch.sign(step) == torch.sign(gradient))[inside].double().mean() > 0.97
    alike = torch.nn.functional.cosine_similarity(step[inside].flatten(), gradient[inside].flatten(), dim=0)
    assert alike > 0.5


def test_the_order_of_the_exposures_does_not_matter() -> None:
    under, over = pair(67, 95)
    fused = (under + over) / 2
    assert torch.allclose(preserved(fused, under, over), preserved(fused, over, under), atol=1e-6)


def test_a_picture_of_itself_stays_as_it_is() -> None:
    under, _ = pair(67, 95)
    assert (preserved(under, under, under) - under).abs().max() < 0.25 / 255


def test_what_is_no_stronger_than_noise_is_left_alone() -> None:
    generator = torch.manual_seed(2)
    under, over = (0.5 + torch.randn(1, 1, 64, 64, generator=generator) / 255 for _ in range(2))
    fused = torch.full_like(under, 0.5) + torch.randn(1, 1, 64, 64, generator=generator) / 255
    assert (preserved(fused, under, over) - fused).abs().mean() < 0.1 / 255


def test_flat_pictures_stay_flat() -> None:
    under, over, fused = (torch.full((1, 1, 32, 48), value) for value in (0.1, 0.9, 0.4))
    assert torch.equal(preserved(fused, under, over), fused)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("size", [(64, 64), (67, 95), (9, 130)])
def test_compiled_steps_are_the_networks_own(steps: int, size: tuple[int, int]) -> None:
    engine = pytest.importorskip("stages.fusion.compiled.preservation")
    module = EdgePreservation(steps).requires_grad_(False)
    under, over = ((luma * 255).round() for luma in pair(*size))
    fused = 0.4 * under + 0.6 * over
    expected = module(fused / 255, under / 255, over / 255) * 255
    result = np.empty(size, np.uint8)
    planes = [luma[0, 0].to(torch.uint8).numpy() for luma in (under, over)]
    compiled = engine.CompiledPreservation(module, size, Strips(1))
    compiled.run(fused[0, 0].numpy().copy(), *planes, result, (0.0, 255.0, 255))
    middle = (expected > 32) & (expected < 223)
    # Tones close to black and white are held by what follows.
    assert np.abs(result - expected[0, 0].numpy())[middle[0, 0].numpy()].max() < 0.6


def test_networks_of_any_number_of_steps_come_back_from_their_weights() -> None:
    widths = Widths(shallow=8, middle=8, deep=8, attention=8, revision=4, preservation_steps=2)
    assert Widths.of(LCNDR(widths).state_dict()) == widths
