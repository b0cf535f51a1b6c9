"""The last steps, towards both exposures' edges and patches at once."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from pipeline.evaluation.metrics.edges import q_abf
from stages.fusion import weights
from stages.fusion.lcndr import LCNDR, Widths, hold_tones
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.models import load_model
from stages.fusion.refinement import DetailRefinement
from stages.fusion.strips import Strips
from tests.fusion.pictures import pair


def refined(fused: Tensor, under: Tensor, over: Tensor, *, steps: int = 5) -> Tensor:
    return DetailRefinement(steps).requires_grad_(False)(fused, under, over)


def stored(luma: Tensor) -> npt.NDArray[np.uint8]:
    return (luma[0, 0] * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def test_a_fused_picture_keeps_more_edges_and_more_structure() -> None:
    under, over = pair(150, 201)
    fused = (under + over) / 2
    edges, structure = [], []
    for each in (fused, refined(fused, under, over)):
        edges.append(q_abf(stored(under), stored(over), stored(each)))
        structure.append(float(MefSsim(torch.cat([under, over], dim=1))(each)))
    assert edges[1] > edges[0] + 0.03
    assert structure[1] > structure[0] + 0.005


def test_the_order_of_the_exposures_does_not_matter() -> None:
    under, over = pair(67, 95)
    fused = (under + over) / 2
    assert torch.allclose(refined(fused, under, over), refined(fused, over, under), atol=1e-5)


def test_a_picture_of_itself_stays_as_it_is() -> None:
    under, _ = pair(67, 95)
    assert (refined(under, under, under) - under).abs().max() < 0.25 / 255


def test_flat_pictures_stay_flat() -> None:
    under, over, fused = (torch.full((1, 1, 32, 48), value) for value in (0.1, 0.9, 0.4))
    assert torch.allclose(refined(fused, under, over), fused, atol=1e-5)


def test_without_levels_that_draw_edges_still_do() -> None:
    under, over = pair(150, 201)
    fused = (under + over) / 2
    module = DetailRefinement(1, 0).requires_grad_(False)
    edges = [q_abf(stored(under), stored(over), stored(each)) for each in (fused, module(fused, under, over))]
    assert edges[1] > edges[0] + 0.01


@pytest.mark.parametrize(("steps", "levels"), [(1, 3), (2, 3), (5, 3), (1, 0), (2, 1), (3, 2)])
@pytest.mark.parametrize("size", [(64, 64), (67, 95), (9, 130), (8, 8), (33, 35)])
def test_compiled_steps_are_the_networks_own(steps: int, levels: int, size: tuple[int, int]) -> None:
    engine = pytest.importorskip("stages.fusion.compiled.refinement")
    module = DetailRefinement(steps, levels).requires_grad_(False)
    under, over = ((luma * 255).round() for luma in pair(*size))
    fused = 0.4 * under + 0.6 * over
    expected = hold_tones(
        module(fused / 255, under / 255, over / 255), torch.minimum(under, over) / 255, torch.maximum(under, over) / 255
    )
    result = np.empty(size, np.uint8)
    planes = [luma[0, 0].to(torch.uint8).numpy() for luma in (under, over)]
    strips = Strips(1)
    compiled, coding, top = engine.CompiledRefinement(module, size, strips), np.float32([0, 255]), np.float32(255)
    for _ in range(2):
        # What is kept from picture to picture leaves no trace.
        strips.run(compiled.passes(fused[0, 0].numpy().copy(), *planes, result, tuple(coding), top, []))
        assert np.abs(result - 255 * expected[0, 0].numpy()).max() < 0.51


@pytest.mark.parametrize("drawn_levels", [0, 2])
def test_networks_of_any_number_of_steps_and_levels_come_back_from_their_weights(
    tmp_path: Path, drawn_levels: int
) -> None:
    widths = Widths(8, 8, 8, 8, revision=4, refinement_steps=2, drawn_levels=drawn_levels)
    network = LCNDR(widths)
    weights.save(tmp_path / "kept.safetensors", network.state_dict(), {})
    loaded = load_model(str(tmp_path / "kept.safetensors"))
    assert Widths.of(loaded.state_dict()) == widths
    assert loaded.refinement is not None
    assert network.refinement is not None
    assert torch.equal(loaded.refinement.climb, network.refinement.climb)
