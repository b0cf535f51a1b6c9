"""Fusion on a GPU against the CPU; skipped where there is none."""

from __future__ import annotations

from threading import Thread

import pytest
import torch

from stages.device.streams import CudaQueue
from stages.frame import BT709, ColorRange, ColorTags, Planes
from stages.fusion.cuda.fuser import CudaFuser, Precision
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.cuda.replay import WARM_UP_FRAMES
from stages.fusion.fuser import Fuser
from stages.fusion.mode import Mode
from stages.fusion.models import load_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")

FULL_RANGE = ColorTags(matrix=1, range=ColorRange.FULL)
FRAMES = WARM_UP_FRAMES + 3
"""The last ones are replayed from a graph."""


def gpu(
    mode: Mode,
    *,
    in_flight: int = 3,
    precision: Precision = "auto",
    graphs: bool = True,
    join_kernels: bool = False,
) -> CudaFuser:
    return CudaFuser(
        load_model("lcndr"),
        mode,
        CudaQueue(torch.device("cuda")),
        frames_in_flight=in_flight,
        precision=precision,
        graphs=graphs,
        join_kernels=join_kernels,
    )


def all_of(
    fuser: CudaFuser, pair: tuple[Planes, Planes], color: ColorTags = BT709, count: int = FRAMES
) -> list[Planes]:
    return [planes for _ in range(count) for planes in fuser.push(*pair, color)] + fuser.drain()


@pytest.mark.parametrize("mode", ["full", "stream"])
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(("size", "color"), [((640, 360), BT709), ((333, 201), FULL_RANGE)])
def test_pictures_are_the_cpus(mode: Mode, bit_depth: int, size: tuple[int, int], color: ColorTags) -> None:
    pair = synthetic_pair(*size, bit_depth=bit_depth)
    expected = Fuser(load_model("lcndr"), mode, torch.device("cpu")).fuse(*pair, color)
    fused = all_of(gpu(mode), pair, color)
    assert len(fused) == FRAMES
    for planes in fused:
        assert Difference.between(planes, expected).is_small


@pytest.mark.parametrize("mode", ["full", "stream"])
@pytest.mark.parametrize("precision", ["half", "single"])
def test_a_graph_gives_what_the_operations_one_by_one_give(
    mode: Mode, precision: Precision, caplog: pytest.LogCaptureFixture
) -> None:
    pair = synthetic_pair(320, 200, bit_depth=8)
    eager, *_, replayed = all_of(gpu(mode, precision=precision), pair)
    assert Difference.between(eager, replayed).max <= 1
    assert caplog.records == []


@pytest.mark.parametrize("mode", ["full", "stream"])
def test_joined_kernels_give_what_the_operations_one_by_one_give(mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    pair = synthetic_pair(640, 360, bit_depth=8)
    expected = all_of(gpu(mode, precision="single"), pair)[-1]
    joined = all_of(gpu(mode, precision="single", join_kernels=True), pair)
    assert all(Difference.between(planes, expected).max <= 1 for planes in joined)
    assert caplog.records == []


def test_the_fuser_chooses_the_gpu_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pair = synthetic_pair(320, 200, bit_depth=8)
    fuser = Fuser(load_model("lcndr"), "stream", torch.device("cuda"), frames_in_flight=2)
    assert [len(fuser.push(*pair, BT709)) for _ in range(FRAMES)] == [0, *[1] * (FRAMES - 1)]
    assert len(fuser.drain()) == 1
    fuser.close()
    assert caplog.records == []


def test_a_change_of_size_falls_back_and_recovers() -> None:
    fuser = gpu("stream")
    small, large = synthetic_pair(320, 200, bit_depth=8), synthetic_pair(400, 240, bit_depth=8)
    first = all_of(fuser, small)[-1]
    assert all_of(fuser, large)[-1].luma.shape == (240, 400)
    assert Difference.between(first, all_of(fuser, small)[-1]).max <= 1


def test_two_fusers_in_two_threads_do_not_touch_each_other() -> None:
    modes: tuple[Mode, ...] = ("full", "stream")
    pairs = {mode: synthetic_pair(320 + 16 * at, 200, bit_depth=8) for at, mode in enumerate(modes)}
    alone = {mode: all_of(gpu(mode), pair)[-1] for mode, pair in pairs.items()}
    together: dict[Mode, list[Planes]] = {}

    def work(mode: Mode, pair: tuple[Planes, Planes]) -> None:
        together[mode] = all_of(gpu(mode), pair, count=40)

    threads = [Thread(target=work, args=each) for each in pairs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    for mode, pictures in together.items():
        assert len(pictures) == 40
        assert all(Difference.between(picture, alone[mode]).max <= 1 for picture in pictures)
    assert set(together) == set(pairs)


def test_no_memory_is_taken_after_the_first_frames() -> None:
    fuser, pair = gpu("stream"), synthetic_pair(640, 360, bit_depth=8)
    for _ in range(FRAMES):
        fuser.push(*pair, BT709)
    before = torch.cuda.memory_stats()["num_device_alloc"], torch.cuda.memory_allocated()
    for _ in range(20):
        fuser.push(*pair, BT709)
    assert (torch.cuda.memory_stats()["num_device_alloc"], torch.cuda.memory_allocated()) == before
