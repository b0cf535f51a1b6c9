"""What patches should hold."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.patches import TAPS, Pull, ideal_patches
from tests.fusion.pictures import pair


def test_the_ideal_patch_is_that_of_mef_ssim() -> None:
    generator = torch.manual_seed(3)
    for share in (0.0, 0.3, 0.6, 0.9, 1.0):
        under = torch.randn(400, generator=generator)
        over = 2 * (share * under + (1 - share) * torch.randn(400, generator=generator))
        under, over = 0.1 * (under - under.mean()), 0.1 * (over - over.mean())
        moments = (under.square().mean(), over.square().mean(), (under * over).mean())
        of_under, of_over = ideal_patches(*moments)
        lengths = under.norm(), over.norm()
        power = min(math.tan(math.pi / 2 * float((under + over).norm() / (lengths[0] + lengths[1]))), 10)
        weights = [float(length**power) for length in lengths]
        mixture = sum(
            weight * patch / length for weight, patch, length in zip(weights, (under, over), lengths, strict=True)
        )
        expected = mixture * max(lengths) / mixture.norm()
        assert torch.allclose(of_under * under + of_over * over, expected, atol=0.01 * float(expected.abs().max()))


def averaged(picture: Tensor) -> Tensor:
    taps = torch.tensor(TAPS, dtype=picture.dtype)
    padded = F.pad(picture, (3, 3, 3, 3), mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, 7)), taps.view(1, 1, 7, 1))


def windows(picture: Tensor) -> Tensor:
    """Every patch of 7 x 7 pixels, (49, h, w)."""
    height, width = picture.shape[-2:]
    return F.unfold(picture, 7).view(49, height - 6, width - 6)


@pytest.mark.parametrize("wider", [False, True])
def test_pictures_are_drawn_down_the_gradient_of_their_distance_to_the_ideal(wider: bool) -> None:
    under, over = (luma.double() - 0.5 for luma in pair(32, 40))
    fused = ((under + over) / 2 + 0.02 * torch.rand_like(under)).requires_grad_()
    pull = Pull.between(under, over, torch.tensor(1e-3), torch.tensor(1e-6), wider=wider)
    means = averaged(under), averaged(over)
    moments = averaged(under * under), averaged(over * over), averaged(under * over)
    if wider:
        means, moments = tuple(map(averaged, means)), tuple(map(averaged, moments))
    of_under, of_over = (
        coefficient[0, :, 3:-3, 3:-3]
        for coefficient in ideal_patches(
            moments[0] - means[0] ** 2, moments[1] - means[1] ** 2, moments[2] - means[0] * means[1]
        )
    )
    taps = torch.tensor(TAPS, dtype=torch.float64)
    weights = torch.outer(taps, taps).view(49, 1, 1)

    def textures(picture: Tensor) -> Tensor:
        seen = windows(picture)
        return seen - (weights * seen).sum(dim=0)

    ideal = of_under * textures(under) + of_over * textures(over)
    distances = (weights * (textures(fused) - ideal).square()).sum(dim=0)
    (gradient,) = torch.autograd.grad((pull.share[0, 0, 3:-3, 3:-3] * distances).sum(), fused)
    # Windows at the border are not among these.
    inside = (slice(None), slice(None), slice(6, -6), slice(6, -6))
    assert torch.allclose(pull.on(fused.detach())[inside], -gradient[inside] / 2, atol=1e-6)
