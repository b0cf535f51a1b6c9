"""The compiled engine against the network itself."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.frame import BT709, ColorRange, ColorTags, Planes
from stages.fusion.ablation import PARTS, switch_off
from stages.fusion.chroma import fuse_chroma
from stages.fusion.fuser import Fuser
from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.mode import stream_working_side
from stages.fusion.models import load_model
from tests.fusion.pictures import pair

FULL = ColorTags(matrix=1, range=ColorRange.FULL)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests set their own number; the others get theirs back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(revision: int = 8, widths: tuple[int, int, int, int] = (8, 8, 8, 8)) -> LCNDR:
    """Random weights, with a revision that shows."""
    torch.manual_seed(revision)
    made = LCNDR(Widths(*widths, revision=revision)).eval().requires_grad_(False)
    for name, deviation in (("erm.refine.4.weight", 0.1), ("sam.weigh.2.weight", 0.5), ("blend.judge.second", 0.3)):
        torch.nn.init.normal_(made.get_parameter(name), std=deviation)
    return made


def planes(luma: torch.Tensor, *, bit_depth: int, seed: int) -> Planes:
    """Full-range code values, with colours of their own."""
    top = (1 << bit_depth) - 1
    height, width = (-(-side // 2) for side in luma.shape[-2:])
    noise = torch.rand(1, 2, height // 4 + 2, width // 4 + 2, generator=torch.Generator().manual_seed(seed))
    chroma = 0.3 + 0.4 * F.interpolate(noise, size=(height, width), mode="bilinear")[0]
    luma_codes, chroma_codes = ((plane * top).round().numpy() for plane in (luma[0, 0], chroma))
    if bit_depth == 8:
        return Planes(luma_codes.astype(np.uint8), chroma_codes.astype(np.uint8), bit_depth)
    return Planes(luma_codes.astype(np.uint16), chroma_codes.astype(np.uint16), bit_depth)


def reference(made: LCNDR, under: Planes, over: Planes, color: ColorTags) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network and the chroma rule give for the whole picture, in code values; chroma with luma rounded."""
    unit = float(1 << (under.bit_depth - 8))
    top = float((1 << under.bit_depth) - 1)
    black, luma_span, chroma_span = (0.0, top, top) if color.is_full_range else (16 * unit, 219 * unit, 224 * unit)
    lumas = [(torch.from_numpy(each.luma.astype(np.float32))[None, None] - black) / luma_span for each in (under, over)]
    chromas = [
        (torch.from_numpy(each.chroma.astype(np.float32))[None] - 128 * unit) / chroma_span for each in (under, over)
    ]
    side = stream_working_side(under.height, under.width)
    luma = made(lumas[0].clamp(0, 1), lumas[1].clamp(0, 1), working_side=side) * luma_span + black
    luma = luma.clamp(0, top)
    rounded = (luma.round() - black) / luma_span
    coefficients = color.luma_coefficients(height=under.height)
    chroma = fuse_chroma(lumas[0], lumas[1], rounded, chromas[0], chromas[1], coefficients)[0] * chroma_span
    return luma[0, 0], (chroma + 128 * unit).clamp(0, top)


def test_levels_that_nobody_judges_are_the_networks_own() -> None:
    torch.manual_seed(0)
    made = LCNDR(Widths(8, 8, 8, 8, revision=8, judged_levels=3)).eval().requires_grad_(False)
    torch.nn.init.normal_(made.blend.judge.second, std=0.3)
    under, over = (planes(each, bit_depth=8, seed=seed) for seed, each in enumerate(pair(131, 95)))
    luma, _ = reference(made, under, over, BT709)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, BT709)
    assert (torch.from_numpy(fused.luma) - luma).abs().max() <= 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(64, 64), (67, 95), (66, 131), (301, 260), (9, 700), (280, 31)])
@pytest.mark.parametrize(("bit_depth", "color"), [(8, BT709), (10, BT709), (8, FULL), (10, FULL)])
def test_any_picture_is_the_networks_own(threads: int, size: tuple[int, int], bit_depth: int, color: ColorTags) -> None:
    made = network()
    under, over = (planes(each, bit_depth=bit_depth, seed=seed) for seed, each in enumerate(pair(*size)))
    luma, chroma = reference(made, under, over, color)
    torch.set_num_threads(threads)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, color)
    rounding, step = 0.5, (1 << bit_depth) / 256
    assert np.abs(fused.luma - luma.numpy()).max() < rounding + 0.5 * step
    assert np.abs(fused.chroma - chroma.numpy()).max() < rounding + 0.01 * step
    assert fused.luma.dtype == under.luma.dtype


def test_a_level_as_high_as_the_weight_maps_but_wider_is_the_networks_own() -> None:
    made, grain = load_model("lcndr"), torch.rand(1, 1, 120, 518, generator=torch.Generator().manual_seed(1))
    under, over = (planes(base + 0.03 * grain, bit_depth=8, seed=seed) for seed, base in enumerate((0.02, 0.94)))
    luma, _ = reference(made, under, over, FULL)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, FULL)
    assert np.abs(fused.luma - luma.numpy()).max() <= 1


@pytest.mark.parametrize("revision", [2, 4, 5, 16, 20])
def test_any_width_of_the_revision_serves(revision: int) -> None:
    made = network(revision)
    under, over = (planes(each, bit_depth=8, seed=0) for each in pair(97, 131))
    luma, _ = reference(made, under, over, FULL)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, FULL)
    assert np.abs(fused.luma - luma.numpy()).max() < 1


@pytest.mark.parametrize("widths", [(4, 4, 4, 4), (6, 10, 7, 5), (13, 1, 2, 3), (32, 64, 96, 32)])
def test_any_width_of_the_other_modules_serves(widths: tuple[int, int, int, int]) -> None:
    made = network(widths=widths)
    under, over = (planes(each, bit_depth=8, seed=0) for each in pair(97, 131))
    luma, _ = reference(made, under, over, FULL)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, FULL)
    assert np.abs(fused.luma - luma.numpy()).max() < 1


@pytest.mark.parametrize("parts", [*((part,) for part in PARTS), ("erm", "refinement")])
def test_a_network_may_lack_parts(parts: tuple[str, ...]) -> None:
    made = switch_off(network(), parts)
    under, over = (planes(each, bit_depth=8, seed=0) for each in pair(97, 131))
    luma, _ = reference(made, under, over, FULL)
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, FULL)
    assert np.abs(fused.luma - luma.numpy()).max() < 1


def test_pictures_of_another_size_follow_each_other() -> None:
    fuser = Fuser(network(), "stream", torch.device("cpu"))
    small, large = ([planes(each, bit_depth=8, seed=0) for each in pair(*size)] for size in ((64, 80), (120, 90)))
    first = fuser.fuse(small[0], small[1], BT709)
    assert fuser.fuse(large[0], large[1], BT709).luma.shape == (120, 90)
    again = fuser.fuse(small[0], small[1], BT709)
    assert (again.luma == first.luma).all()
    assert (again.chroma == first.chroma).all()


def test_a_fused_picture_is_not_touched_by_the_next() -> None:
    fuser = Fuser(network(), "stream", torch.device("cpu"))
    under, over = (planes(each, bit_depth=8, seed=0) for each in pair(64, 80))
    fused = fuser.fuse(under, over, BT709)
    before = fused.luma.copy()
    fuser.fuse(over, under, BT709)
    assert (fused.luma == before).all()


def test_planes_may_be_read_only_or_lie_in_a_larger_picture() -> None:
    fuser = Fuser(network(), "stream", torch.device("cpu"))
    under, over = (planes(each, bit_depth=8, seed=0) for each in pair(64, 80))
    expected = fuser.fuse(under, over, BT709)
    locked = Planes(under.luma.copy(), under.chroma.copy())
    locked.luma.flags.writeable = locked.chroma.flags.writeable = False
    wide = np.zeros((64, 100), np.uint8)
    wide[:, :80] = over.luma
    fused = fuser.fuse(locked, Planes(wide[:, :80], over.chroma), BT709)
    assert (fused.luma == expected.luma).all()
    assert (fused.chroma == expected.chroma).all()


WITHOUT_NUMBA = """
import sys
sys.modules.update(numba=None, llvmlite=None)
import numpy as np
import torch
from stages.frame import BT709, Planes
from stages.fusion.fast import compiled_engine
from stages.fusion.fuser import Fuser
from stages.fusion.lcndr import LCNDR, Widths
assert isinstance(compiled_engine(), str)
torch.manual_seed(0)
network = LCNDR(Widths(4, 4, 4, 4, 4)).eval().requires_grad_(False)
luma = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) // 2
pair = [Planes(luma + shift, np.full((2, 32, 32), 128, np.uint8)) for shift in (16, 60)]
sys.stdout.buffer.write(Fuser(network, "stream", torch.device("cpu")).fuse(*pair, BT709).luma.tobytes())
"""


def test_without_numba_the_plain_network_gives_the_same_picture() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    torch.manual_seed(0)
    made = LCNDR(Widths(4, 4, 4, 4, 4)).eval().requires_grad_(False)
    luma = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) // 2
    under, over = (Planes(luma + np.uint8(shift), np.full((2, 32, 32), 128, np.uint8)) for shift in (16, 60))
    fused = Fuser(made, "stream", torch.device("cpu")).fuse(under, over, BT709)
    plain = np.frombuffer(result.stdout, np.uint8).reshape(64, 64)
    assert np.abs(fused.luma.astype(int) - plain.astype(int)).max() <= 1
