"""The stage with several frames under way, on the stand-in for a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch

from pipeline.runner import Runner
from stages.device.standin import StandInQueue
from stages.errors import DeviceError
from stages.frame import BT709, AlignedPair, ColorRange, ColorTags, ExposurePair, Frame, FusedFrame, StreamInfo
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.cuda.network import DeviceNetwork
from stages.fusion.fuser import Fuser, Mode
from stages.fusion.lcndr import LCNDR
from stages.fusion.models import load_model
from stages.fusion.stage import LcndrConfig, LcndrFusion
from stages.stage import Done, Source, Stage

INFO = StreamInfo(width=64, height=48, bit_depth=8, time_base=Fraction(1, 25))


def aligned(index: int, *, size: tuple[int, int] = (64, 48), color: ColorTags = BT709) -> AlignedPair:
    under, over = synthetic_pair(*size, bit_depth=8)
    under.luma[:4] = 16 + 10 * index  # no two alike
    frames = [Frame(index - back, over, pts=index - back, time_base=Fraction(1, 25), color=color) for back in (0, 1)]
    pair = ExposurePair(frames[0], frames[1], reference_is_under=False, ratio_stops=3.0)
    return AlignedPair(pair, under, over, np.ones((24, 32), np.float32))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> StandInQueue:
    """Takes the place of a GPU in the stage."""
    queue = StandInQueue()

    def fuser(
        network: LCNDR,
        mode: Mode,
        device: torch.device,
        *,
        frames_in_flight: int,
        join_kernels: bool,
        threads: int | None,
    ) -> CudaFuser:
        assert not join_kernels
        assert threads is None
        return CudaFuser(network, "full", queue, frames_in_flight=frames_in_flight, precision="single")

    monkeypatch.setattr("stages.fusion.stage.Fuser", fuser)
    return queue


def opened(in_flight: int) -> LcndrFusion:
    stage = LcndrFusion(LcndrConfig(device="cpu", frames_in_flight=in_flight))
    stage.open(INFO)
    return stage


def check(frames: list[FusedFrame], given: list[AlignedPair]) -> None:
    """Every pair gave its own picture, in order, and each picture still knows its pair."""
    assert [frame.index for frame in frames] == [item.index for item in given]
    assert [frame.aligned for frame in frames] == given
    fuser = Fuser(load_model("lcndr"), "full", torch.device("cpu"))
    for frame, item in zip(frames, given, strict=True):
        assert (frame.color, frame.pts) == (item.pair.reference.color, item.pair.reference.pts)
        expected = fuser.fuse(item.under, item.over, frame.color)
        # Pairs differ by ten code values in their first rows, so that another pair's picture would be seen.
        assert Difference.between(frame.planes, expected).max <= 1


def test_frames_come_later_but_all_of_them(queue: StandInQueue) -> None:
    stage = opened(3)
    given = [aligned(index) for index in range(6)]
    counts, frames = [], []
    for item in given:
        new = list(stage.process(item))
        counts.append(len(new))
        frames += new
    assert counts == [0, 0, 1, 1, 1, 1]
    frames += stage.flush()
    stage.close()
    check([frame for frame in frames if isinstance(frame, FusedFrame)], given)


def test_live_each_frame_comes_at_once(queue: StandInQueue) -> None:
    stage = opened(1)
    for index in range(3):
        (frame,) = stage.process(aligned(index))
        assert frame.index == index
    assert list(stage.flush()) == []


def test_a_source_that_changes_size_and_colour_loses_no_frame(queue: StandInQueue) -> None:
    full_range = ColorTags(matrix=1, range=ColorRange.FULL)
    given = [
        *(aligned(index) for index in range(3)),
        *(aligned(index, size=(50, 36)) for index in range(3, 5)),
        *(aligned(index, size=(50, 36), color=full_range) for index in range(5, 7)),
    ]
    stage = opened(3)
    frames = [frame for item in given for frame in stage.process(item)]
    frames += stage.flush()
    check([frame for frame in frames if isinstance(frame, FusedFrame)], given)


def test_given_up_in_the_middle_nothing_stays_under_way(queue: StandInQueue) -> None:
    stage = opened(3)
    for index in range(2):
        assert list(stage.process(aligned(index))) == []
    stage.close()
    stage.close()
    assert queue.pending == 0


@pytest.mark.parametrize("count", [0, 9])
def test_frames_in_flight_are_refused_where_they_make_no_sense(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 8, got {count}"):
        LcndrConfig(frames_in_flight=count)


class Pairs(Source):
    """Gives aligned pairs, as if everything before fusion were the source."""

    def __init__(self, count: int) -> None:
        self._items: Iterator[AlignedPair] = (aligned(index) for index in range(count))

    def open(self) -> StreamInfo:
        return INFO

    def read(self) -> Frame | None:
        return next(self._items, None)  # type: ignore[return-value]

    def close(self) -> None: ...


class Kept(Stage[FusedFrame, Done]):
    """A sink that remembers."""

    def __init__(self) -> None:
        self.frames: list[FusedFrame] = []

    def open(self, info: StreamInfo) -> StreamInfo:
        return info

    def process(self, item: FusedFrame) -> Iterator[Done]:
        self.frames.append(item)
        yield Done(item.index)

    def close(self) -> None: ...


def test_in_a_pipeline_the_account_balances(queue: StandInQueue) -> None:
    sink = Kept()
    stage = LcndrFusion(LcndrConfig(device="cpu", frames_in_flight=3))
    runner = Runner(Pairs(9), [("fusion", stage), ("encoding", sink)], capacity=2)
    runner.run()
    account = runner.report().account
    assert (account.captured, account.fused, account.in_flight) == (9, 9, 0)
    check(sink.frames, [frame.aligned for frame in sink.frames if frame.aligned is not None])
    assert [frame.index for frame in sink.frames] == list(range(9))


def test_in_a_pipeline_a_failing_gpu_fails_what_it_had(queue: StandInQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(100))

    def forward(self: DeviceNetwork, lumas: torch.Tensor) -> torch.Tensor:
        if next(calls) == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return lumas[:, :1]

    monkeypatch.setattr(DeviceNetwork, "forward", forward)
    sink = Kept()
    stage = LcndrFusion(LcndrConfig(device="cpu", frames_in_flight=3))
    runner = Runner(Pairs(9), [("fusion", stage), ("encoding", sink)], capacity=2)
    with pytest.raises(DeviceError, match="too little memory"):
        runner.run()
    account = runner.report().account
    assert account.balances
    assert account.in_flight == 0
    assert account.fused == len(sink.frames) <= 4
    assert queue.pending == 0
