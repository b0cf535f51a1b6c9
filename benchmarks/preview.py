"""What watching costs: the fused frame rate with ten viewers of the preview page against nobody, in one run.

    python -m benchmarks.preview MAP.hdr [--fusion passthrough] [--viewers N] [--rounds N] [--seconds S]
                                         [--width W] [--height H] [--viewers-compete]

A simulated camera's frames are prepared beforehand and then come at 30 a second, are paired, aligned, fused by LCNDR
(or passed through: more pictures a second, so that showing them weighs more) and shown; pairs that come too soon are
dropped, as in live use. Blocks with and without viewers alternate.

Real viewers are other machines; here they share the pipeline's cores. So they run in another process, read what the
page reads (picture and histograms) without drawing it, and get only the processor time that the pipeline leaves
(SCHED_IDLE; nice 19 where there is no such thing). What they received is printed: were they starved, less would have
been sent, and the ratio would say nothing. `--viewers-compete` adds blocks with viewers at nice 19, which take their
share of the same cores: that ratio counts their work as if it were the pipeline's.

Where other jobs disturb the rates, CPU times say more: where every core is busy, what the preview's threads take is
what the frame rate loses.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import psutil

from benchmarks.audience import Audience, Seen
from pipeline.registry import default_kind, stage_class
from pipeline.runner import Runner
from stages.capture.simulated import SimulatedConfig, SimulatedSource
from stages.frame import Frame, FusedFrame, StreamInfo
from stages.preview.browser import BrowserConfig, BrowserPreview
from stages.stage import Done, Source, Stage

FRAME_RATE = Fraction(30)
SETTLING_S = 2.0
"""After viewers came or went; not counted."""
ENOUGH = 0.8
"""Of the pictures, to count as watched by everybody; some come while the viewers come and go."""
INTERVAL_MS = float(1000 / FRAME_RATE)


class Rehearsed(Source):
    """Frames made beforehand, forwards and backwards, in real time until stopped."""

    def __init__(self, info: StreamInfo, frames: list[Frame]) -> None:
        self._info, self._frames = info, [*frames, *frames[-2:0:-1]]
        self._count = 0
        self._started_s = 0.0

    def open(self) -> StreamInfo:
        """Start the clock."""
        self._started_s = time.monotonic()
        return self._info

    def read(self) -> Frame:
        """The next frame, when it is due."""
        index = self._count
        self._count += 1
        time.sleep(max(self._started_s + index / FRAME_RATE - time.monotonic(), 0))
        frame = self._frames[index % len(self._frames)]
        return replace(frame, index=index, pts=index, captured_ns=time.time_ns())

    def close(self) -> None:
        """Holds nothing."""


class Counted(Stage[FusedFrame, Done]):
    """The end of the pipeline."""

    def __init__(self) -> None:
        self.fused_ms: list[float] = []
        """From each frame's capture until it was fused."""

    def open(self, info: StreamInfo) -> StreamInfo:
        """Passes the description on."""
        return info

    def process(self, item: FusedFrame) -> Iterable[Done]:
        """Count it."""
        self.fused_ms.append((item.fused_ns - item.captured_ns) / 1e6)
        yield Done(item.index)

    def close(self) -> None:
        """Holds nothing."""


def rehearse(arguments: argparse.Namespace) -> Rehearsed:
    """One second of the map."""
    config = SimulatedConfig(
        map=arguments.map,
        width=arguments.width,
        height=arguments.height,
        frame_rate=float(FRAME_RATE),
        seconds=1,
        metadata=True,
    )
    source = SimulatedSource(config)
    info = source.open()
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return Rehearsed(replace(info, frame_count=None), frames)


def preview_cpu_s() -> float:
    """CPU time of the preview's threads so far."""
    ids = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("preview.")}
    return sum(thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id in ids)


def quantiles(values_ms: list[float]) -> str:
    if not values_ms:
        return "none"
    p50, p99 = np.percentile(values_ms, [50, 99])
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"


@dataclass(frozen=True)
class Block:
    """A few seconds of the pipeline."""

    fps: float
    cpu_ms: float
    """CPU time of the pipeline a fused frame, the preview's threads included."""


@dataclass
class Tally:
    """Of the blocks that one audience watched."""

    ratios: list[float] = field(default_factory=list)
    """Fused frame rate over that of the block without viewers in the same round."""
    cpu_ms: list[tuple[float, float]] = field(default_factory=list)
    """CPU time of the pipeline a fused frame, with viewers and without, by round."""
    fused_ms: list[float] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    preview_s: float = 0.0
    """CPU time of the preview's threads."""
    whole_s: float = 0.0
    """CPU time of the whole pipeline."""

    def show(self, audience: Audience, viewers: int) -> None:
        """Print it."""
        pictures = [sum(counts) for counts in zip(*(seen.pictures for seen in self.seen), strict=True)]
        fused = len(self.fused_ms)
        viewers_s = sum(seen.cpu_s for seen in self.seen)
        print(f"{viewers} viewers {audience.priority}")
        print(f"  fused frame rate with them / without, median: {statistics.median(self.ratios):.3f}")
        watched_ms, alone_ms = (statistics.median(side) for side in zip(*self.cpu_ms, strict=True))
        print(f"  CPU of the pipeline a fused frame, median: {watched_ms:.1f} ms with them, {alone_ms:.1f} ms without")
        print(f"  CPU of the preview's threads: {1e3 * self.preview_s / fused:.1f} ms a fused frame, ", end="")
        print(f"{self.preview_s / self.whole_s:.1%} of the pipeline's")
        print(f"  CPU of the viewers: {1e3 * viewers_s / fused:.1f} ms a fused frame, all together")
        share = sum(pictures) / (fused * viewers)
        starved = "" if share >= ENOUGH else ": STARVED, so that the frame rate with them says too little"
        each = f"each viewer {min(pictures)} to {max(pictures)} of {fused}"
        print(f"  pictures received: {share:.0%} of all, {each}{starved}")
        print(f"  capture to fused:  {quantiles(self.fused_ms)}")
        print(f"  capture to viewer: {quantiles([age for seen in self.seen for age in seen.ages_ms])}")
        delays = quantiles([delay for seen in self.seen for delay in seen.delays_ms])
        print(f"  fused to viewer:   {delays} (two frame intervals: {2 * INTERVAL_MS:.0f} ms)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map")
    parser.add_argument("--fusion", choices=("lcndr", "passthrough"), default="lcndr")
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--viewers-compete", action="store_true", help="also with viewers that compete for the cores")
    arguments = parser.parse_args()

    choices = (False, True) if arguments.viewers_compete else (False,)
    audiences = {compete: Audience(arguments.viewers, compete=compete) for compete in choices}
    preview, counted = BrowserPreview(BrowserConfig(address="0")), Counted()
    stages: list[tuple[str, Stage[object, object]]] = []
    for role, kind in (
        ("pairing", default_kind("pairing")),
        ("alignment", default_kind("alignment")),
        ("fusion", arguments.fusion),
    ):
        made = stage_class(role, kind)
        stages.append((role, made(made.Config())))
    runner = Runner(
        rehearse(arguments), [*stages, ("preview", preview), ("count", counted)], capacity=1, policy="latest"
    )
    preview.connect(status=lambda: runner.report().to_dict(), bracket=None)
    pipeline = threading.Thread(target=runner.run)
    pipeline.start()
    while len(counted.fused_ms) < 5:
        time.sleep(0.1)

    def block() -> Block:
        """As things are."""
        time.sleep(SETTLING_S)
        before, started_s, cpu_s = len(counted.fused_ms), time.monotonic(), time.process_time()
        time.sleep(arguments.seconds)
        frames = max(len(counted.fused_ms) - before, 1)
        return Block(frames / (time.monotonic() - started_s), 1e3 * (time.process_time() - cpu_s) / frames)

    tallies = {compete: Tally() for compete in audiences}

    def watched(compete: bool) -> Block:
        """The same while an audience watches."""
        tally = tallies[compete]
        start, preview_start_s, whole_start_s = len(counted.fused_ms), preview_cpu_s(), time.process_time()
        audiences[compete].come(preview.url or "")
        seen = block()
        tally.seen.append(audiences[compete].go())
        tally.preview_s += preview_cpu_s() - preview_start_s
        tally.whole_s += time.process_time() - whole_start_s
        tally.fused_ms += counted.fused_ms[start:]
        return seen

    for number in range(arguments.rounds):
        turns: list[bool | None] = [None, *audiences]
        # Who goes first alternates too: what drifts cancels.
        blocks = {turn: block() if turn is None else watched(turn) for turn in turns[:: -1 if number % 2 else 1]}
        alone = blocks[None]
        told = [f"{alone.fps:.2f} fps alone"]
        for compete, tally in tallies.items():
            tally.ratios.append(blocks[compete].fps / alone.fps)
            tally.cpu_ms.append((blocks[compete].cpu_ms, alone.cpu_ms))
            how = "watched by competitors" if compete else "watched"
            told.append(f"{blocks[compete].fps:.2f} fps {how} ({tally.ratios[-1]:.3f})")
        print(", ".join(told), flush=True)
    for audience in audiences.values():
        audience.close()
    runner.stop()
    pipeline.join(30)
    for compete, audience in audiences.items():
        tallies[compete].show(audience, arguments.viewers)


if __name__ == "__main__":
    main()
