"""Alignment on a GPU: whether it gives the processor's pictures, how fast, and what crosses the bus."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, Literal

import numpy as np

from benchmarks.cuda.bench import Bench, wall_ms
from benchmarks.cuda.parity import Row
from benchmarks.cuda.speed import void
from stages.alignment.assembly import CpuAssembler
from stages.alignment.crew import Crew
from stages.alignment.cuda.assembler import DeviceAssembler
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.plan import Plan
from stages.device.planes import Layout
from stages.frame import BT709, AlignedPair, ExposurePair, Frame, PixelArray, Planes
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.models import load_model

AlignmentMode = Literal["causal", "lookahead"]

ALIGNMENT_MODES: Final[tuple[AlignmentMode, ...]] = ("causal", "lookahead")
MEAN_LIMIT: Final = 0.1
MAX_LIMIT: Final = 8.0
"""How far a GPU's aligned pictures may be from the processor's, in 255ths of the code values' range: a value that is
rounded the other way may then go through a steep curve."""
_FRAMES = 12
_STEP_PX = (4, 2)
"""Of the camera from frame to frame, to the right and down."""


def moving_pairs(size: tuple[int, int], bit_depth: int) -> list[ExposurePair]:
    """A camera that moves over the synthetic pair's scene and then stands still, as pairing gives it."""
    width, height = size
    margin = [_FRAMES * step for step in _STEP_PX]
    scene = synthetic_pair(width + margin[0], height + margin[1], bit_depth=bit_depth)

    def seen(index: int) -> Planes:
        left, top = (min(index, _FRAMES - 4) * step for step in _STEP_PX)
        half_height, half_width = -(-height // 2), -(-width // 2)
        planes = scene[index % 2]
        luma = _noisy(planes.luma[top : top + height, left : left + width], index, planes.max_value)
        chroma = planes.chroma[:, top // 2 : top // 2 + half_height, left // 2 : left // 2 + half_width]
        return Planes(luma, chroma.copy(), bit_depth)

    frames = [Frame(at, seen(at), pts=at, time_base=Fraction(1, 25), color=BT709) for at in range(_FRAMES)]
    return [
        ExposurePair(each, frames[at - 1 if at else 1], reference_is_under=at % 2 == 0, ratio_stops=3.0)
        for at, each in enumerate(frames)
    ]


def alignment_parity(bench: Bench, sizes: list[tuple[int, int]]) -> Iterator[Row]:
    """Each mode, size and depth: the pictures of a clip by both; the worst frame counts."""
    for mode in ALIGNMENT_MODES:
        for width, height in sizes:
            for bit_depth in (8, 10):
                pairs = moving_pairs((width, height), bit_depth)
                ours = _aligned(FlowAlignment(FlowConfig(mode=mode), DeviceAssembler(bench.queue())), pairs)
                theirs = _aligned(FlowAlignment(FlowConfig(mode=mode, device="cpu")), pairs)
                worst = [
                    Difference.between(*both)
                    for one, other in zip(ours, theirs, strict=True)
                    for both in ((one.under, other.under), (one.over, other.over))
                ]
                mean, largest = max(each.mean for each in worst), max(each.max for each in worst)
                yield {
                    "mode": mode,
                    "size": f"{width}x{height}",
                    "bits": bit_depth,
                    "mean_255ths": mean,
                    "max_255ths": largest,
                    "agrees": mean <= MEAN_LIMIT and largest <= MAX_LIMIT,
                }


class _Recorder(DeviceAssembler):
    """Keeps the plan of the last frame."""

    plan: Plan

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        self.plan = plan
        return super().assemble(plan)


def alignment_speed(bench: Bench, model: str, mode: AlignmentMode, size: tuple[int, int]) -> Iterator[Row]:
    """Milliseconds a frame, and what crosses the bus, 8 bit."""
    bench.forget_memory()
    queue, pairs = bench.queue(), moving_pairs(size, 8)
    assembler, crew = _Recorder(queue), Crew()
    stage = FlowAlignment(FlowConfig(mode=mode), assembler)
    fuser = CudaFuser(load_model(model), "stream", bench.queue(), frames_in_flight=3, precision=bench.precision)
    middle = len(pairs) // 2

    def through() -> None:
        """The clip, aligned and fused, in one thread."""
        for pair in pairs:
            for item in stage.process(pair):
                if isinstance(item, AlignedPair):
                    fuser.push(item.under, item.over, BT709)
        fuser.drain()

    for pair in pairs[:middle]:
        list(stage.process(pair))
    plan = assembler.plan
    own_ms = bench.lane_ms(queue, "compute", lambda: void(assembler.assemble(plan)))
    launch_ms = wall_ms(lambda: void(assembler.assemble(plan)), bench.seconds)
    queue.finish()
    cpu = CpuAssembler(crew)
    # What the plan remembers is downloaded once, before it is timed.
    cpu_ms = wall_ms(lambda: void(cpu.assemble(plan)), bench.seconds)
    crew.close()
    through()
    sent = assembler.bytes_sent
    through()
    up = (assembler.bytes_sent - sent) / len(pairs)
    chain_ms = wall_ms(through, 0) / len(pairs)
    stage.close()
    layout = Layout.like(pairs[0].reference.planes)
    yield {
        "model": model,
        "mode": mode,
        "size": f"{size[0]}x{size[1]}",
        "device_ms": own_ms,
        "launch_ms": launch_ms,
        "cpu_ms": cpu_ms,
        "chain_ms": chain_ms,
        "up_mib": up / 2**20,
        "frame_mib": layout.codes / 2**20,
        "peak_mib": bench.peak_mib(),
    }


def _aligned(stage: FlowAlignment, pairs: list[ExposurePair]) -> list[AlignedPair]:
    items = [item for pair in pairs for item in stage.process(pair)] + list(stage.flush())
    stage.close()
    return [item for item in items if isinstance(item, AlignedPair)]


def _noisy(luma: PixelArray, seed: int, top: int) -> PixelArray:
    noise = np.random.default_rng(seed).normal(0, 2 * top / 255, luma.shape)
    values = np.clip(np.rint(luma + noise), 0, top)
    return values.astype(np.uint8) if luma.dtype == np.uint8 else values.astype(np.uint16)
