import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stages.fusion.mef_ssim import SCALE_WEIGHTS, MefSsim
from tests.fusion.pictures import pair

Array = npt.NDArray[np.float64]


def by_the_paper(sources: Array, fused: Array) -> float:
    """One scale, patch by patch, as the paper writes it: sources (K, H, W), fused (H, W), in 0-255."""
    size, half = 11, 5
    taps = np.exp(-((np.arange(size) - half) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    qualities = []
    for row in range(half, fused.shape[0] - half):
        for column in range(half, fused.shape[1] - half):
            block = np.s_[row - half : row + half + 1, column - half : column + half + 1]
            patches = sources[:, block[0], block[1]]
            structures = patches - patches.mean(axis=(1, 2), keepdims=True)
            lengths = np.sqrt((structures**2).sum(axis=(1, 2)))
            contrasts = lengths + 0.001
            total = structures.sum(axis=0)
            consistency = min((np.linalg.norm(total) + 2e-16) / (lengths.sum() + 2e-16), 1 - 2e-16)
            power = min(math.tan(math.pi / 2 * consistency), 10)
            weights = (contrasts / size) ** power + 2e-16
            weights /= weights.sum()
            ideal = ((weights / contrasts)[:, None, None] * structures).sum(axis=0)
            if np.linalg.norm(ideal) > 0:
                ideal *= contrasts.max() / np.linalg.norm(ideal)
            patch = fused[block]
            ideal_centred, centred = ideal - (window * ideal).sum(), patch - (window * patch).sum()
            constant = (0.03 * 255) ** 2
            shared = 2 * (window * ideal_centred * centred).sum() + constant
            own = (window * ideal_centred**2).sum() + (window * centred**2).sum() + constant
            qualities.append(shared / own)
    return float(np.mean(qualities))


def halved(pictures: Array) -> Array:
    return (
        pictures[..., ::2, ::2] + pictures[..., 1::2, ::2] + pictures[..., ::2, 1::2] + pictures[..., 1::2, 1::2]
    ) / 4


def test_equals_the_papers_definition() -> None:
    under, over = pair(64, 64, seed=3)
    under[..., :20, :20] = 0
    sources = torch.cat([under, over], dim=1)
    fused = (under + over) / 2
    expected = 1.0
    their_sources, their_fused = sources[0].double().numpy() * 255, fused[0, 0].double().numpy() * 255
    for weight in SCALE_WEIGHTS:
        expected *= by_the_paper(their_sources, their_fused) ** (weight / sum(SCALE_WEIGHTS))
        their_sources, their_fused = halved(their_sources), halved(their_fused)
    assert MefSsim(sources.double())(fused.double()).item() == pytest.approx(expected, abs=1e-6)
    assert MefSsim(sources)(fused).item() == pytest.approx(expected, abs=1e-6)


def test_flat_patches_of_any_tone_score_as_they_should() -> None:
    rng = np.random.default_rng(8)
    codes = np.kron(rng.integers(0, 256, (8, 8)), np.ones((16, 16)))
    over = np.minimum(codes * 3, 255)
    under = codes // 2
    sources = torch.from_numpy(np.stack([under, over])[None]).float() / 255
    fused = sources.mean(dim=1, keepdim=True) + 0.004 * torch.rand(1, 1, 128, 128)
    score = MefSsim(sources)(fused).item()
    assert score <= 1
    assert score == pytest.approx(MefSsim(sources.double())(fused.double()).item(), abs=1e-6)


def test_a_single_picture_is_its_own_best_fusion() -> None:
    under, _ = pair()
    assert MefSsim(torch.cat([under, under], dim=1))(under).item() == pytest.approx(1, abs=1e-3)


def test_scores_each_scene_of_a_batch_on_its_own() -> None:
    pairs = [torch.cat(pair(seed=seed), dim=1) for seed in (0, 1)]
    means = [sources.mean(dim=1, keepdim=True) for sources in pairs]
    together = MefSsim(torch.cat(pairs))(torch.cat(means))
    alone = [MefSsim(sources)(mean).item() for sources, mean in zip(pairs, means, strict=True)]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_climbing_its_gradient_improves_a_fusion() -> None:
    metric = MefSsim(torch.cat(pair(), dim=1))
    fused = torch.cat(pair(), dim=1).mean(dim=1, keepdim=True).requires_grad_()
    before = metric(fused)
    before.sum().backward()
    assert fused.grad is not None
    after = metric(fused.detach() + 0.01 * fused.grad / fused.grad.abs().max())
    assert after.item() > before.item()


def test_a_picture_too_small_for_three_scales_is_refused() -> None:
    with pytest.raises(ValueError, match="44 x 44"):
        MefSsim(torch.rand(1, 2, 43, 100))
