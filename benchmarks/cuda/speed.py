"""How fast a GPU fuses: what computing takes, what of the rest hides behind it, and which part takes how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.cuda.bench import Bench, wall_ms
from benchmarks.cuda.parity import Row
from stages.device.queue import Work
from stages.frame import BT709
from stages.fusion.cuda.fuser import CudaFuser, Precision
from stages.fusion.cuda.gate import synthetic_pair
from stages.fusion.cuda.program import Format, PairProgram
from stages.fusion.cuda.replay import WARM_UP_FRAMES
from stages.fusion.cuda.ring import Ring
from stages.fusion.mode import Mode
from stages.fusion.models import load_model

SLOTS = 3
"""Frames in flight."""
_TRACED = 12
"""Frames seen by the profiler."""


class Subject:
    """One model in one mode at one size.

    Args:
        bench: the device.
        model: its name.
        mode: of fusion.
        size: (width, height).
        precision: of weights and pictures; None for the usual one.
        graphs: whether to replay from graphs.
        join_kernels: whether operations are joined into fewer kernels.
    """

    def __init__(
        self,
        bench: Bench,
        model: str,
        mode: Mode,
        size: tuple[int, int],
        *,
        precision: Precision | None = None,
        graphs: bool = True,
        join_kernels: bool = True,
    ) -> None:
        bench.forget_memory()
        self._bench = bench
        self.queue = bench.queue()
        self.fuser = CudaFuser(
            load_model(model),
            mode,
            self.queue,
            frames_in_flight=SLOTS,
            precision=precision or bench.precision,
            graphs=graphs,
            join_kernels=join_kernels,
        )
        self.pair = synthetic_pair(*size, bit_depth=8)
        self.picture = Format.of(self.pair[0], BT709)
        self.ring = self.fuser.new_ring(self.fuser.network, self.picture, SLOTS)
        for _ in range(SLOTS):
            self.ring.take().fill(*self.pair)
            self.ring.start()
        for _ in range(WARM_UP_FRAMES + SLOTS):
            go_round(self.ring)
        drain(self.ring)
        self.row: Row = {
            "model": model,
            "mode": mode,
            "size": f"{size[0]}x{size[1]}",
            "precision": str(self.fuser.network.precision).removeprefix("torch."),
            "graph": self.ring.program.is_captured,
        }

    def compute_ms(self) -> float:
        """Of the compute lane alone, for one pair that lies on the device."""
        slot = self.ring.take()
        return self._bench.lane_ms(
            self.queue, "compute", lambda: self.ring.program.run(slot.device_pair, slot.device_fused)
        )

    def whole_ms(self) -> float:
        """Of a frame from pinned memory to pinned memory, others before and behind it."""
        for _ in range(SLOTS):  # then every further one waits for one to be finished
            self.ring.start()
        taken = wall_ms(lambda: go_round(self.ring), self._bench.seconds)
        drain(self.ring)
        return taken


def go_round(ring: Ring) -> None:
    """Start a frame whose buffer is filled already, once the oldest has made room."""
    if ring.in_flight == SLOTS:
        ring.finish()
    ring.start()


def drain(ring: Ring) -> None:
    """Finish what is under way."""
    while ring.in_flight:
        ring.finish()


def speed(bench: Bench, model: str, mode: Mode, size: tuple[int, int]) -> Iterator[Row]:
    """Everything about one subject: milliseconds a frame, shares, memory."""
    subject = Subject(bench, model, mode, size)
    ring, queue, slot = subject.ring, subject.queue, subject.ring.take()
    compute, whole = subject.compute_ms(), subject.whole_ms()
    peak_mib = bench.peak_mib()  # before the fuser makes a second ring of its own

    def copied(source: Tensor, target: Tensor) -> Work:
        return lambda: void(target.copy_(source, non_blocking=True))

    up, down = copied(slot.host_pair, slot.device_pair), copied(slot.device_fused, slot.host_fused)
    upload = bench.lane_ms(queue, "upload", lambda: queue.run("upload", up))
    download = bench.lane_ms(queue, "download", lambda: queue.run("download", down))

    def alone() -> None:
        ring.start()
        ring.finish()

    alone_ms = wall_ms(alone, bench.seconds)
    for _ in range(WARM_UP_FRAMES + SLOTS):
        subject.fuser.push(*subject.pair, BT709)
    planes = wall_ms(lambda: void(subject.fuser.push(*subject.pair, BT709)), bench.seconds)
    subject.fuser.drain()

    def several() -> None:
        for _ in range(_TRACED):
            go_round(ring)
        drain(ring)

    trace = bench.trace(several)
    yield subject.row | {
        "compute_ms": compute,
        "whole_ms": whole,
        "rate_share": compute / whole,
        "busy_share": trace.busy_share if trace else None,
        "overlap_share": trace.overlap_share if trace else None,
        "hidden_share": min(1.0, max(0.0, (upload + compute + download - whole) / (upload + download))),
        "upload_ms": upload,
        "download_ms": download,
        "alone_ms": alone_ms,
        "planes_ms": planes,
        "ns_per_pixel": compute * 1e6 / (size[0] * size[1]),
        "peak_mib": peak_mib,
        "kernels": "; ".join(f"{share:.0%} {name[:70]}" for name, share in trace.kernels.items()) if trace else None,
    }


def variants(bench: Bench, model: str, mode: Mode, size: tuple[int, int]) -> Iterator[Row]:
    """What half precision, graphs, joined kernels and cuDNN's own search for the fastest ones bring."""
    tried: list[tuple[Precision, bool, bool, bool]] = [
        ("half", True, True, False),
        ("half", True, True, True),
        ("half", True, False, False),
        ("half", False, True, False),
        ("single", True, True, False),
        ("single", False, False, False),
    ]
    for precision, graphs, join_kernels, search in tried:
        before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, search
        try:
            subject = Subject(bench, model, mode, size, precision=precision, graphs=graphs, join_kernels=join_kernels)
            figures = {"compute_ms": subject.compute_ms(), "whole_ms": subject.whole_ms()}
            row = (
                subject.row
                | {"join_kernels": join_kernels, "search": search}
                | figures
                | {"peak_mib": bench.peak_mib()}
            )
        finally:
            torch.backends.cudnn.benchmark = before
        del subject  # or its memory would count as the next one's
        yield row


def parts(bench: Bench, model: str, mode: Mode, size: tuple[int, int]) -> Iterator[Row]:
    """Milliseconds of each part of the program, each as a graph of its own where that works."""
    subject = Subject(bench, model, mode, size)
    queue, slot, network = subject.queue, subject.ring.take(), subject.fuser.network
    program = PairProgram(network, subject.picture)
    kept: dict[str, Tensor] = {}

    def read() -> None:
        kept["lumas"], kept["chromas"] = program.read(slot.device_pair)

    def blend() -> None:
        kept["coarse"] = network.blend(kept["lumas"], kept["logits"])

    def weigh() -> None:
        kept["logits"] = network.choose(kept["lumas"])

    def revise() -> None:
        kept["luma"] = network.revise(kept["coarse"], kept["lumas"])

    def chroma() -> None:
        kept["chroma"] = program.chroma(kept["lumas"], kept["luma"], kept["chromas"])

    def write() -> None:
        program.write(kept["luma"], kept["chroma"], slot.device_fused)

    steps: dict[str, Work] = {
        "read": read,
        "weigh": weigh,
        "blend": blend,
        "revise": revise,
        "chroma": chroma,
        "write": write,
    }
    row = dict(subject.row)
    for name, step in steps.items():
        queue.run("compute", step)
        queue.finish()
        row[f"{name}_ms"] = bench.lane_ms(queue, "compute", launcher(subject, step))
    yield row


def launcher(subject: Subject, work: Work) -> Callable[[], None]:
    """What gives the compute lane some work, captured where it can be."""
    queue = subject.queue
    try:
        captured = queue.capture(work)
    except RuntimeError:
        captured = work
    return lambda: queue.run("compute", captured)


def void(_: object) -> None:
    """Let go of a result."""
