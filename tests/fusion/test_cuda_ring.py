"""How frames cross the bus, on a stand-in that works on the CPU as late as possible and writes down what it does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stages.device.queue import Lane
from stages.device.standin import StandInQueue
from stages.errors import DeviceError
from stages.frame import BT709, ColorRange, ColorTags, Planes
from stages.fusion.ablation import switch_off
from stages.fusion.cuda import fuser as cuda_fuser
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.cuda.network import DeviceNetwork
from stages.fusion.cuda.program import Format, PairProgram
from stages.fusion.cuda.replay import WARM_UP_FRAMES
from stages.fusion.cuda.ring import Slot
from stages.fusion.fuser import Fuser
from stages.fusion.lcndr import LCNDR, Widths

SIZE = (48, 40)
FULL_RANGE = ColorTags(matrix=9, range=ColorRange.FULL)
ONE_FRAME: list[Lane] = ["upload", "compute", "download"]

Pair = tuple[Planes, Planes]


@pytest.fixture(scope="module")
def network() -> LCNDR:
    return random_network()


def random_network() -> LCNDR:
    """Random weights, with a revision that shows."""
    torch.manual_seed(0)
    made = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=8)).eval().requires_grad_(False)
    for name, deviation in (("erm.refine.4.weight", 0.1), ("sam.weigh.2.weight", 0.5), ("blend.judge.second", 0.3)):
        torch.nn.init.normal_(made.get_parameter(name), std=deviation)
    return made


def pairs(count: int, *, size: tuple[int, int] = SIZE, bit_depth: int = 8) -> list[Pair]:
    """Pairs of which no two are alike."""
    under, over = synthetic_pair(*size, bit_depth=bit_depth)

    def moved(planes: Planes, by: int) -> Planes:
        return Planes(np.roll(planes.luma, 2 * by, 1), np.roll(planes.chroma, by, 2), bit_depth)

    return [(moved(under, by), moved(over, by)) for by in range(count)]


def made(network: LCNDR, queue: StandInQueue, *, in_flight: int = 3, **options: Any) -> CudaFuser:
    options = {"precision": "single"} | options
    return CudaFuser(network, "full", queue, frames_in_flight=in_flight, **options)


def one_by_one(network: LCNDR, given: list[Pair], color: ColorTags = BT709) -> list[Planes]:
    """The same arithmetic with no device between: nothing waits, nothing is used again."""
    placed = DeviceNetwork(network, "full", torch.float32)

    def run(pair: Pair) -> Planes:
        picture = Format.of(pair[0], color)
        slot = Slot(StandInQueue(), picture)
        slot.fill(*pair)
        with torch.inference_mode():
            PairProgram(placed, picture)(slot.host_pair, slot.host_fused)
        return slot.fused()

    return [run(pair) for pair in given]


def fused(fuser: CudaFuser, given: list[Pair], color: ColorTags = BT709) -> list[Planes]:
    return [planes for pair in given for planes in fuser.push(*pair, color)] + fuser.drain()


def equal(ours: list[Planes], theirs: list[Planes]) -> bool:
    return len(ours) == len(theirs) and all(
        (one.luma == other.luma).all() and (one.chroma == other.chroma).all()
        for one, other in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("in_flight", [1, 2, 3])
@pytest.mark.parametrize(("size", "bit_depth", "color"), [(SIZE, 8, BT709), ((35, 31), 10, FULL_RANGE)])
def test_pictures_are_those_of_the_program_run_alone_bit_for_bit(
    network: LCNDR, in_flight: int, size: tuple[int, int], bit_depth: int, color: ColorTags
) -> None:
    given = pairs(WARM_UP_FRAMES + 4, size=size, bit_depth=bit_depth)
    ours = fused(made(network, StandInQueue(), in_flight=in_flight), given, color)
    assert equal(ours, one_by_one(network, given, color))


@pytest.mark.parametrize("without", [(), ("erm", "sam-attention")])
@pytest.mark.parametrize(
    ("size", "bit_depth", "color"), [(SIZE, 8, BT709), ((35, 31), 10, FULL_RANGE), ((9, 5), 8, BT709)]
)
def test_pictures_are_the_cpus_but_for_rounding(
    without: tuple[str, ...], size: tuple[int, int], bit_depth: int, color: ColorTags
) -> None:
    network = switch_off(random_network(), without)
    given = pairs(WARM_UP_FRAMES + 2, size=size, bit_depth=bit_depth)
    cpu = Fuser(network, "full", torch.device("cpu"))
    for ours, pair in zip(fused(made(network, StandInQueue()), given, color), given, strict=True):
        difference = Difference.between(ours, cpu.fuse(*pair, color))
        assert difference.max <= 1
        assert difference.mean < 0.01


def test_the_network_given_stays_as_it_is(network: LCNDR) -> None:
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    made(network, StandInQueue(), precision="half")
    assert all(weight.dtype == torch.float32 for weight in network.state_dict().values())
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_stream_mode_gives_what_the_cpus_stream_mode_gives(network: LCNDR) -> None:
    given = pairs(2, size=(400, 300))
    fuser = CudaFuser(network, "stream", StandInQueue(), precision="single")
    cpu = Fuser(network, "stream", torch.device("cpu"))
    for ours, pair in zip(fused(fuser, given), given, strict=True):
        difference = Difference.between(ours, cpu.fuse(*pair, BT709))
        assert difference.max <= 1
        assert difference.mean < 0.1


def test_large_pictures_go_through_strips(network: LCNDR, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.fusion.cuda.network._WHOLE_PIXELS", 1000)
    monkeypatch.setattr("stages.fusion.cuda.network._STRIP_PIXELS", 700)
    (ours,), (theirs,) = fused(made(network, StandInQueue()), pairs(1)), one_by_one(network, pairs(1))
    assert Difference.between(ours, theirs).max <= 1


def test_one_frame_in_flight_is_given_at_once(network: LCNDR) -> None:
    queue = StandInQueue()
    fuser = made(network, queue, in_flight=1)
    for count, pair in enumerate(pairs(3), 1):
        assert len(fuser.push(*pair, BT709)) == 1
        assert queue.done == ONE_FRAME * count
    assert fuser.drain() == []


def test_with_more_in_flight_a_frame_goes_up_before_the_one_before_it_is_waited_for(network: LCNDR) -> None:
    queue = StandInQueue()
    fuser = made(network, queue, in_flight=3)
    assert [len(fuser.push(*pair, BT709)) for pair in pairs(5)] == [0, 0, 1, 1, 1]
    # Three were waited for; the last two were given to the device, which had no reason yet to do them.
    assert queue.done == ONE_FRAME * 3
    assert fuser.in_flight == 2
    assert queue.pending > 0
    assert len(fuser.drain()) == 2
    assert queue.done == ONE_FRAME * 5
    assert queue.pending == 0


@pytest.mark.parametrize("deaf", ["compute", "download"])
def test_a_lane_that_does_not_wait_for_the_one_before_it_would_be_seen(network: LCNDR, deaf: Lane) -> None:
    class Forgetful(StandInQueue):
        def hold(self, lane: Lane, until: tuple[Lane, int]) -> None:
            if lane != deaf:
                super().hold(lane, until)

    given = pairs(4)
    assert not equal(fused(made(network, Forgetful()), given), one_by_one(network, given))


def test_nothing_is_allocated_after_the_first_frames(network: LCNDR) -> None:
    queue = StandInQueue()
    fuser = made(network, queue)
    given = pairs(WARM_UP_FRAMES + 12)
    for pair in given[: WARM_UP_FRAMES + 1]:
        fuser.push(*pair, BT709)
    before = queue.made.copy()
    assert before["capture"] == 1
    for pair in given[WARM_UP_FRAMES + 1 :]:
        fuser.push(*pair, BT709)
    assert queue.made == before
    # Three slots of two buffers on each side, and the graph's own two.
    assert before == {"host buffer": 6, "device buffer": 8, "mark": 9, "capture": 1}


def test_a_picture_given_is_not_touched_by_later_ones(network: LCNDR) -> None:
    fuser = made(network, StandInQueue(), in_flight=1)
    first, second = pairs(2)
    (kept,) = fuser.push(*first, BT709)
    before = kept.luma.copy()
    fuser.push(*second, BT709)
    assert (kept.luma == before).all()
    assert not np.shares_memory(kept.luma, kept.chroma)


def test_what_is_given_may_change_as_soon_as_it_was_taken(network: LCNDR) -> None:
    given = pairs(1)
    expected = one_by_one(network, given)
    fuser = made(network, StandInQueue())
    fuser.push(*given[0], BT709)
    for planes in given[0]:
        planes.luma[:] = 16
    assert equal(fuser.drain(), expected)


def test_a_change_of_size_depth_or_colour_loses_nothing(network: LCNDR) -> None:
    small, large, deep = pairs(2), pairs(6, size=(64, 50)), pairs(2, bit_depth=10)
    queue = StandInQueue()
    fuser = made(network, queue)
    ours: list[Planes] = []
    theirs: list[Planes] = []
    for given, color in ((small, BT709), (large, BT709), (deep, BT709), (deep, FULL_RANGE), (small, BT709)):
        for pair in given:
            ours += fuser.push(*pair, color)
        theirs += one_by_one(network, given, color)
    assert equal(ours + fuser.drain(), theirs)
    # Only one format stayed for long enough to be worth a graph.
    assert queue.made["capture"] == 1


def test_a_device_that_cannot_capture_goes_on_without(network: LCNDR, caplog: pytest.LogCaptureFixture) -> None:
    queue = StandInQueue(cannot_capture="operation not permitted when stream is capturing\nand a long hint")
    given = pairs(WARM_UP_FRAMES + 4)
    with caplog.at_level(logging.WARNING):
        assert equal(fused(made(network, queue), given), one_by_one(network, given))
    assert queue.made["capture"] == 1
    assert [record.getMessage() for record in caplog.records] == [
        "fusion of 48x40 runs without a CUDA graph: operation not permitted when stream is capturing"
    ]


def test_without_graphs_nothing_is_captured(network: LCNDR) -> None:
    queue = StandInQueue()
    fused(made(network, queue, graphs=False), pairs(WARM_UP_FRAMES + 2))
    assert queue.made["capture"] == 0


def failing(at: int, error: Exception) -> Callable[..., Any]:
    """``DeviceNetwork.forward`` that raises at one call."""
    forward, calls = DeviceNetwork.forward, iter(range(1000))

    def run(self: DeviceNetwork, lumas: torch.Tensor) -> torch.Tensor:
        if next(calls) == at:
            raise error
        return forward(self, lumas)

    return run


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "too little memory for 48x40"),
        (torch.AcceleratorError("CUDA error: unspecified launch failure\nhint"), "unspecified launch failure"),
    ],
)
def test_a_failure_in_the_middle_leaves_nothing_under_way(
    network: LCNDR, monkeypatch: pytest.MonkeyPatch, error: Exception, named: str
) -> None:
    queue = StandInQueue()
    fuser = made(network, queue)
    given = pairs(8)
    with monkeypatch.context() as patch:
        patch.setattr(DeviceNetwork, "forward", failing(2, error))
        with pytest.raises(DeviceError, match=named) as raised:
            fused(fuser, given)
    assert "\n" not in str(raised.value)
    assert (fuser.in_flight, queue.pending) == (0, 0)
    assert equal(fused(fuser, given), one_by_one(network, given))


def test_closing_gives_up_what_is_under_way(network: LCNDR) -> None:
    queue = StandInQueue()
    fuser = made(network, queue)
    for pair in pairs(2):
        fuser.push(*pair, BT709)
    fuser.close()
    fuser.close()
    assert (fuser.in_flight, queue.pending) == (0, 0)


def test_half_precision_is_kept_where_it_is_close(network: LCNDR, caplog: pytest.LogCaptureFixture) -> None:
    fuser = made(network, StandInQueue(), precision="auto")
    assert fuser.network.precision == torch.float16
    assert caplog.records == []
    (ours,), (theirs,) = fused(fuser, pairs(1)), one_by_one(network, pairs(1))
    assert Difference.between(ours, theirs).is_small


def test_single_precision_takes_over_where_half_is_not(
    network: LCNDR, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Difference, "is_small", False)
    queue = StandInQueue()
    fuser = made(network, queue, precision="auto")
    assert fuser.network.precision == torch.float32
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith("fusion in single precision: half is off by")
    assert queue.pending == 0
    assert equal(fused(fuser, pairs(2)), one_by_one(network, pairs(2)))


def test_differences_are_counted_in_255ths_of_the_range() -> None:
    one, _ = synthetic_pair(8, 6, bit_depth=10)
    other = Planes(one.luma + np.uint16(8), one.chroma, 10)
    difference = Difference.between(one, other)
    assert difference.max == pytest.approx(8 * 255 / 1023)
    assert difference.mean == pytest.approx(difference.max * 2 / 3)
    assert Difference.between(one, Planes(one.luma + np.uint16(4), one.chroma, 10)).is_small
    assert not Difference.between(one, Planes(one.luma + np.uint16(20), one.chroma, 10)).is_small


def test_the_trial_pair_has_dark_and_bright_and_colour() -> None:
    under, over = synthetic_pair(*cuda_fuser._TRIAL_SIZE)
    assert (under.width, under.height, under.bit_depth) == (256, 192, 10)
    assert under.luma.mean() < over.luma.mean()
    assert over.luma.max() == 940
    assert int(under.chroma.max()) - int(under.chroma.min()) > 100
