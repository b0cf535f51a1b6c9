"""Alignment on a GPU against the processor; skipped where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stages.alignment.cuda.assembler import DeviceAssembler
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.plan import Plan
from stages.device.planes import DevicePlanes
from stages.device.streams import CudaQueue
from stages.frame import BT709, AlignedPair, Planes
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import Difference
from stages.fusion.models import load_model
from tests.alignment.clips import aligned_by, moving_clip, pairs_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")

modes = pytest.mark.parametrize("mode", ["causal", "lookahead"])


def config(mode: Any, device: Any) -> FlowConfig:
    return FlowConfig(mode=mode, device=device)


@modes
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(("height", "width"), [(2, 6), (201, 333), (360, 640)])
def test_pictures_are_the_processors(mode: str, bit_depth: int, height: int, width: int) -> None:
    pairs = pairs_of(moving_clip(height, width, 10, bit_depth=bit_depth))
    ours, theirs = (aligned_by(FlowAlignment(config(mode, device)), pairs) for device in ("cuda", "cpu"))
    for item, expected in zip(ours, theirs, strict=True):
        assert isinstance(item.over, DevicePlanes)
        for planes, wanted in ((item.under, expected.under), (item.over, expected.over)):
            difference = Difference.between(planes, wanted)
            assert difference.mean <= 0.1
            # A value that is rounded the other way may go through a steep curve.
            assert difference.max <= 8


class Watching(DeviceAssembler):
    """Forbids operations that wait for the device, once it has begun."""

    frames = 0

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        self.frames += 1
        torch.cuda.set_sync_debug_mode("error" if self.frames > 3 else "default")
        try:
            return super().assemble(plan)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@modes
def test_no_operation_waits_for_the_device(mode: str) -> None:
    assembler = Watching(CudaQueue(torch.device("cuda")))
    aligned = aligned_by(FlowAlignment(config(mode, "cuda"), assembler), pairs_of(moving_clip(201, 333, 10)))
    assert assembler.frames == len(aligned) == 10


@modes
def test_fusion_takes_the_pictures_where_they_lie(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    pairs = pairs_of(moving_clip(360, 640, 10))
    ours, theirs = (
        CudaFuser(load_model("lcndr-lite"), "stream", CudaQueue(torch.device("cuda")), frames_in_flight=count)
        for count in (3, 1)
    )
    aligned = aligned_by(FlowAlignment(config(mode, "cuda")), pairs)
    fused = [planes for item in aligned for planes in ours.push(item.under, item.over, BT709)] + ours.drain()
    for planes, item in zip(fused, aligned, strict=True):
        assert isinstance(item.under, DevicePlanes)
        assert not item.under.is_downloaded
        (wanted,) = theirs.push(*(Planes(p.luma, p.chroma, p.bit_depth) for p in (item.under, item.over)), BT709)
        assert Difference.between(planes, wanted).max <= 1
    assert caplog.records == []


@modes
def test_no_memory_is_taken_after_the_first_frames(mode: str) -> None:
    stage, taken = FlowAlignment(config(mode, "cuda")), []
    items: list[AlignedPair] = []
    for pair in pairs_of(moving_clip(360, 640, 24)):
        # Whoever comes after lets go of what it has used.
        items = [item for item in stage.process(pair) if isinstance(item, AlignedPair)] or items
        taken.append(torch.cuda.memory_stats()["num_device_alloc"])
    assert taken[-1] == taken[12]
    assert len(items) == 1
