"""Alignment on a GPU, on the stand-in for one: the processor's pictures, each frame sent once, nothing read back."""

from __future__ import annotations

import logging
from fractions import Fraction
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stages.alignment.cuda.assembler import DeviceAssembler
from stages.alignment.cuda.shuttle import Shuttle
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.device.choice import DeviceName
from stages.device.planes import DevicePlanes
from stages.device.queue import Lane, Work
from stages.device.standin import StandInQueue
from stages.errors import DeviceError
from stages.frame import BT709, AlignedPair, ExposurePair, Planes, StreamInfo
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.lcndr import LCNDR, Widths
from tests.alignment.clips import aligned_by, moving_clip, pairs_of, panning_clip
from tests.devices import DevicesSeen

modes = pytest.mark.parametrize("mode", ["causal", "lookahead"])


def stage(mode: Any, queue: StandInQueue) -> FlowAlignment:
    return FlowAlignment(FlowConfig(mode=mode), DeviceAssembler(queue))


def align(pairs: list[ExposurePair], mode: Any, device: DeviceName | StandInQueue) -> list[AlignedPair]:
    made = FlowAlignment(FlowConfig(mode=mode, device=device)) if isinstance(device, str) else stage(mode, device)
    return aligned_by(made, pairs)


def differences(ours: Planes, theirs: Planes) -> tuple[float, float]:
    """The mean of luma's or chroma's, whichever is more, and the largest; in code values."""
    apart = [np.abs(getattr(ours, name).astype(int) - getattr(theirs, name)) for name in ("luma", "chroma")]
    return max(float(each.mean()) for each in apart), max(float(each.max()) for each in apart)


@modes
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(("height", "width"), [(2, 6), (72, 128), (101, 155)])
def test_pictures_are_the_processors_over_a_whole_clip(mode: str, bit_depth: int, height: int, width: int) -> None:
    pairs = pairs_of(moving_clip(height, width, 10, bit_depth=bit_depth))
    ours, theirs = align(pairs, mode, StandInQueue()), align(pairs, mode, "cpu")
    assert len(ours) == len(theirs) == 10
    for item, expected in zip(ours, theirs, strict=True):
        assert item.pair is expected.pair
        assert np.array_equal(item.confidence, expected.confidence)
        for planes, wanted in ((item.under, expected.under), (item.over, expected.over)):
            mean, largest = differences(planes, wanted)
            assert mean <= 0.1
            assert largest <= 4


@modes
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_light_from_elsewhere_floods_is_replaced_as_the_processor_does(mode: str, bit_depth: int) -> None:
    pictures = panning_clip(160, 256, 6, open_share=0.8, bit_depth=bit_depth)
    ours, theirs = (align(pairs_of(pictures), mode, device) for device in (StandInQueue(), "cpu"))
    for item, expected in zip(ours, theirs, strict=True):
        for planes, wanted in ((item.under, expected.under), (item.over, expected.over)):
            mean, largest = differences(planes, wanted)
            assert mean <= 0.1
            # Where one is lifted, a code value's difference becomes several.
            assert largest <= 12 << (bit_depth - 8)
    # It has to do with more than noise and tremor.
    assert differences(theirs[3].over, pictures[3])[1] > 40


def test_a_picture_too_low_for_any_spot_is_the_processors() -> None:
    pairs = pairs_of(moving_clip(5, 3000, 6))
    for item, expected in zip(align(pairs, "causal", StandInQueue()), align(pairs, "causal", "cpu"), strict=True):
        assert differences(item.over, expected.over)[0] <= 0.1


@modes
def test_a_change_of_size_and_depth_starts_afresh(mode: str) -> None:
    pairs = [
        *pairs_of(moving_clip(60, 96, 4)),
        *pairs_of(moving_clip(90, 96, 4)),
        *pairs_of(moving_clip(90, 96, 4, bit_depth=10)),
    ]
    for item, expected in zip(align(pairs, mode, StandInQueue()), align(pairs, mode, "cpu"), strict=True):
        assert differences(item.over, expected.over)[1] <= 4
        assert item.over.bit_depth == expected.over.bit_depth


@modes
def test_each_frame_is_sent_once_and_nothing_is_read_back(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    sent: list[Planes] = []
    send = Shuttle.picture
    monkeypatch.setattr(Shuttle, "picture", lambda self, planes: (sent.append(planes), send(self, planes))[1])
    pictures = moving_clip(60, 96, 8)
    queue = StandInQueue()
    for item in align(pairs_of(pictures), mode, queue):
        for planes in (item.under, item.over):
            assert isinstance(planes, DevicePlanes)
            assert not planes.is_downloaded
    assert sorted(map(id, sent)) == sorted(map(id, pictures))
    # The stand-in does what somebody waits for; nobody asked for the last pictures.
    assert queue.pending > 0


@modes
def test_memory_on_the_host_is_taken_once(mode: str) -> None:
    queue = StandInQueue()
    aligning, made = stage(mode, queue), []
    for pair in pairs_of(moving_clip(60, 96, 12)):
        list(aligning.process(pair))
        made.append(queue.made["host buffer"])
    assert len(set(made[5:])) == 1


@modes
def test_fusion_takes_the_pictures_where_they_lie(mode: str) -> None:
    network = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=8)).eval()
    pairs = pairs_of(moving_clip(48, 64, 7))
    fusing = StandInQueue()
    fuser = CudaFuser(network, "full", fusing, frames_in_flight=2, precision="single")
    aligned = align(pairs, mode, StandInQueue())
    fused = [each for item in aligned for each in fuser.push(item.under, item.over, BT709)] + fuser.drain()
    assert "upload" not in fusing.done
    assert fusing.done.count("download") == len(fused) == 7
    assert not any(planes.is_downloaded for item in aligned for planes in (item.under, item.over))  # type: ignore[attr-defined]
    # The same, from the host.
    plain = CudaFuser(network, "full", StandInQueue(), precision="single")
    for ours, item in zip(fused, aligned, strict=True):
        on_host = [Planes(planes.luma, planes.chroma, planes.bit_depth) for planes in (item.under, item.over)]
        (theirs,) = plain.push(*on_host, BT709)
        assert differences(ours, theirs) == (0, 0)


def test_any_thread_may_ask_for_a_picture() -> None:
    aligned = align(pairs_of(moving_clip(60, 96, 6)), "causal", StandInQueue())
    expected = align(pairs_of(moving_clip(60, 96, 6)), "causal", "cpu")
    lumas: dict[int, Any] = {}

    def look(item: AlignedPair) -> None:
        lumas[item.index] = item.over.luma

    threads = [Thread(target=look, args=(item,)) for item in aligned]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for item in expected:
        assert np.abs(lumas[item.index].astype(int) - item.over.luma).max() <= 4
    assert all(item.over.luma is lumas[item.index] for item in aligned)


class Broken(StandInQueue):
    """A GPU that gives out."""

    error: RuntimeError | None = None

    def run(self, lane: Lane, work: Work) -> None:
        if self.error is not None:
            raise self.error
        super().run(lane, work)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "the GPU has too little memory"),
        (torch.AcceleratorError("CUDA error: launch failure\nhint"), "the GPU gave out (CUDA error: launch failure)"),
    ],
)
@modes
def test_a_device_that_gives_out_costs_a_line_and_no_frame(
    caplog: pytest.LogCaptureFixture, mode: str, error: RuntimeError, reason: str
) -> None:
    queue = Broken()
    pairs, aligning = pairs_of(moving_clip(60, 96, 8)), stage(mode, queue)
    items = [item for pair in pairs[:4] for item in aligning.process(pair)]
    queue.error = error
    with caplog.at_level(logging.WARNING):
        items += [*(item for pair in pairs[4:] for item in aligning.process(pair)), *aligning.flush()]
    assert [record.getMessage() for record in caplog.records] == [f"alignment goes on on the CPU: {reason}"]
    assert [item.index for item in items] == list(range(8))
    last = items[-1]
    assert isinstance(last, AlignedPair)
    assert not isinstance(last.over, DevicePlanes)


def test_a_device_that_gives_out_before_the_first_frame_is_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = Broken()
    queue.error = torch.OutOfMemoryError("CUDA out of memory")
    aligning = FlowAlignment(FlowConfig(), DeviceAssembler(queue))
    with caplog.at_level(logging.WARNING):
        aligning.open(StreamInfo(width=96, height=60, bit_depth=8, time_base=Fraction(1, 25)))
        assert len(aligned_by(aligning, pairs_of(moving_clip(60, 96, 4)))) == 4
    assert len(caplog.records) == 1


def test_another_error_is_no_devices() -> None:
    queue = Broken()
    queue.error = RuntimeError("a mistake")
    with pytest.raises(RuntimeError, match="a mistake"):
        align(pairs_of(moving_clip(60, 96, 2)), "causal", queue)


def test_without_a_gpu_the_processor_aligns_and_cuda_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    (first, *_) = align(pairs_of(moving_clip(60, 96, 2)), "causal", "auto")
    assert not isinstance(first.over, DevicePlanes)
    with pytest.raises(DeviceError, match="no CUDA device was found"):
        align(pairs_of(moving_clip(60, 96, 2)), "causal", "cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be auto, cpu or cuda, got 'gpu'"):
        FlowConfig(device="gpu")  # type: ignore[arg-type]


class Meta(StandInQueue):
    """Computes nothing, at once; what would read a figure back fails."""

    elsewhere: list[str]
    operations = 0

    def device_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(count, dtype=dtype, device="meta")

    def run(self, lane: Lane, work: Work) -> None:
        seen = DevicesSeen(copies_up=True)
        with torch.inference_mode(), seen:
            work()
        self.elsewhere += seen.elsewhere
        self.operations += seen.operations


@modes
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_nothing_is_taken_from_the_host_but_what_is_sent(mode: str, bit_depth: int) -> None:
    # Were the meta device a GPU, an operation on both would wait for it.
    queue = Meta()
    queue.elsewhere = []
    align(pairs_of(moving_clip(61, 97, 6, bit_depth=bit_depth)), mode, queue)
    assert queue.operations > 500
    assert queue.elsewhere == []
