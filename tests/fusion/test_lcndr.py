import pytest
import torch

from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.mef_ssim import MefSsim
from stages.fusion.mode import stream_working_side
from stages.fusion.models import load_model
from tests.fusion.pictures import pair


@pytest.fixture(scope="module")
def network() -> LCNDR:
    return load_model("lcndr")


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (44, 300), (17, 9), (1, 1)])
@pytest.mark.parametrize("working_side", [None, 48])
def test_any_size_comes_back_at_its_size(network: LCNDR, size: tuple[int, int], working_side: int | None) -> None:
    under, over = torch.rand(2, 1, *size), torch.rand(2, 1, *size)
    fused = network(under, over, working_side=working_side)
    assert fused.shape == under.shape
    assert torch.isfinite(fused).all()


def test_keeps_more_structure_than_either_exposure_or_their_mean(network: LCNDR) -> None:
    under, over = pair(192, 256)
    score = MefSsim(torch.cat([under, over], dim=1))
    fused = score(network(under, over)).item()
    assert fused > max(score(other).item() for other in (under, over, (under + over) / 2))
    assert fused > 0.96


@pytest.mark.parametrize("size", [(192, 256), (360, 640)])
def test_both_modes_give_the_same_structure_and_brightness(network: LCNDR, size: tuple[int, int]) -> None:
    under, over = pair(*size)
    score = MefSsim(torch.cat([under, over], dim=1))
    full, stream = network(under, over), network(under, over, working_side=stream_working_side(*size))
    assert score(stream).item() == pytest.approx(score(full).item(), abs=0.006)
    assert (full - stream).abs().mean() < 5 / 255
    assert abs((full - stream).mean()) < 3 / 255


def test_pictures_of_a_batch_do_not_touch_each_other(network: LCNDR) -> None:
    first, second = pair(seed=1), pair(seed=2)
    together = network(*(torch.cat(pictures) for pictures in zip(first, second, strict=True)))
    # The steps towards edges magnify rounding where a pixel stands between two of them.
    assert torch.allclose(together[:1], network(*first), atol=0.2 / 255)


def test_widths_are_read_back_from_weights() -> None:
    widths = Widths(shallow=8, middle=12, deep=16, attention=8, revision=4)
    assert Widths.of(LCNDR(widths).state_dict()) == widths


def test_every_module_learns() -> None:
    torch.manual_seed(0)
    network = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=4))
    # The last layers of revision and judge start at zero and block the gradient of those before for one step only.
    for last in (network.erm.refine[-1].weight, network.blend.judge.second):
        torch.nn.init.normal_(last, std=0.1)
    under, over = pair(64, 64)
    (1 - MefSsim(torch.cat([under, over], dim=1))(network(under, over))).mean().backward()
    idle = {name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert not idle


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_gives_what_the_cpu_gives(network: LCNDR) -> None:
    under, over = pair(360, 640)
    on_cpu = network(under, over)
    on_gpu = load_model("lcndr").cuda()(under.cuda(), over.cuda()).cpu()
    assert (on_cpu - on_gpu).abs().max() < 4 / 255
