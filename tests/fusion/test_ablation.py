"""Parts of the network switched off."""

from pathlib import Path

import pytest
import torch

from stages.errors import ConfigError
from stages.fusion import weights
from stages.fusion.ablation import PARTS, switch_off
from stages.fusion.lcndr import LCNDR, Widths, hold_tones
from stages.fusion.models import load_model
from stages.fusion.tiles import fuse_tiled
from tests.fusion.pictures import pair


def trained_network() -> LCNDR:
    """No revision of a fresh network is anything but zero."""
    torch.manual_seed(0)
    network = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=4)).requires_grad_(False)
    torch.nn.init.normal_(network.erm.refine[-1].weight, std=0.3)
    torch.nn.init.normal_(network.blend.judge.second, std=0.3)
    return network


@pytest.mark.parametrize("part", PARTS)
def test_every_part_makes_a_difference(part: str) -> None:
    under, over = pair(64, 64)
    without = switch_off(trained_network(), [part])(under, over)
    assert torch.isfinite(without).all()
    assert not torch.equal(without, trained_network()(under, over))


def test_without_sam_only_contrasts_choose() -> None:
    under, over = pair(64, 64)
    assert (switch_off(trained_network(), ["sam"]).weigh(under, over) == 0).all()


def test_without_what_revises_edges_the_coarse_picture_comes_out() -> None:
    network = switch_off(trained_network(), ["erm", "refinement"])
    under, over = pair(64, 64)
    coarse = network.blend(under, over, network.weigh(under, over))
    assert torch.allclose(network(under, over), hold_tones(coarse, under, over), atol=1e-6)


def test_without_cems_attention_channels_stay_as_they_are() -> None:
    network = switch_off(trained_network(), ["cem-attention"])
    under, _ = pair(64, 64)
    assert torch.equal(network.cem(under)[0], network.cem.shallow(under))


def test_without_sams_attention_what_lies_far_away_does_not_matter() -> None:
    network = switch_off(trained_network(), ["cem-attention", "sam-attention"])
    under, over = pair(64, 128)
    changed = under.clone()
    changed[..., 96:] = 0.5
    near = network.weigh(under, over)[..., :48]
    assert torch.allclose(network.weigh(changed, over)[..., :48], near, atol=1e-6)
    assert not torch.allclose(trained_network().weigh(changed, over)[..., :48], near, atol=1e-6)


def test_a_network_without_parts_runs_in_strips_too() -> None:
    network = switch_off(trained_network(), PARTS)
    under, over = pair(64, 64)
    tiled = fuse_tiled(network, under, over, working_side=None, rows=20)
    assert torch.allclose(tiled, network(under, over), atol=1e-5)


def test_weights_remember_what_their_network_is_without(tmp_path: Path) -> None:
    network = switch_off(trained_network(), ["erm", "sam"])
    weights.save(tmp_path / "w.safetensors", network.state_dict(), {"without": "erm sam"})
    under, over = pair(64, 64)
    assert torch.equal(load_model(str(tmp_path / "w.safetensors"))(under, over), network(under, over))


def test_weights_without_a_part_nobody_knows_are_refused(tmp_path: Path) -> None:
    weights.save(tmp_path / "w.safetensors", trained_network().state_dict(), {"without": "brakes"})
    with pytest.raises(ConfigError, match="not the weights"):
        load_model(str(tmp_path / "w.safetensors"))
