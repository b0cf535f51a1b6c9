"""What watching costs: the fused frame rate with ten viewers of the preview page against nobody, in one run.

    python -m benchmarks.preview MAP.hdr [--fusion passthrough] [--viewers N] [--rounds N] [--seconds S]
                                         [--width W] [--height H]

A simulated camera's frames are prepared beforehand and then come at 30 a second, are paired, aligned, fused by LCNDR
(or passed through: more pictures a second, so that showing them weighs more) and shown; pairs that come too soon are
dropped, as in live use. The viewers run in another process at the lowest priority: theirs would be other machines. They
see the picture and the histograms, as the page does. Blocks with and without them alternate. Where other jobs disturb
the rates, the share of CPU time that the preview's threads take says more: where every core is busy, it is what the
frame rate loses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection

import aiohttp
import numpy as np
import psutil

from pipeline.registry import default_kind, stage_class
from pipeline.runner import Runner
from stages.capture.simulated import SimulatedConfig, SimulatedSource
from stages.frame import Frame, FusedFrame, StreamInfo
from stages.preview.browser import BrowserConfig, BrowserPreview
from stages.stage import Done, Source, Stage

FRAME_RATE = Fraction(30)
SETTLING_S = 2.0
"""After viewers came or went; not counted."""
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


async def watch(url: str, ages_ms: list[float], delays_ms: list[float]) -> None:
    """One viewer: asks for what the page asks for, and measures how late each picture is."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}live") as socket:
        await socket.send_json({"type": "look", "views": ["fused"], "histograms": True})
        is_first = True  # what was there before this viewer came; its age is the stream's affair
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            await socket.send_json({"type": "drawn"})
            if is_first:
                is_first = False
                continue
            now_ms = time.time_ns() / 1e6
            (length,) = struct.unpack(">I", message.data[:4])
            header = json.loads(message.data[4 : 4 + length])
            ages_ms.append(now_ms - header["captured_ms"])
            delays_ms.append(now_ms - header["fused_ms"])


async def audience(orders: Connection, viewers: int) -> None:
    """Come at a URL, go at None, and then tell what was seen; an empty URL ends it."""
    loop = asyncio.get_running_loop()
    while url := await loop.run_in_executor(None, orders.recv):
        ages_ms: list[float] = []
        delays_ms: list[float] = []
        tasks = [asyncio.create_task(watch(url, ages_ms, delays_ms)) for _ in range(viewers)]
        await loop.run_in_executor(None, orders.recv)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        orders.send((ages_ms, delays_ms))


def run_audience(orders: Connection, viewers: int) -> None:
    if hasattr(os, "nice"):
        os.nice(19)
    asyncio.run(audience(orders, viewers))


def preview_cpu_s() -> float:
    """CPU time of the preview's threads so far."""
    ids = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("preview.")}
    return sum(thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id in ids)


def quantiles(values_ms: list[float]) -> str:
    if not values_ms:
        return "none"
    p50, p99 = np.percentile(values_ms, [50, 99])
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map")
    parser.add_argument("--fusion", choices=("lcndr", "passthrough"), default="lcndr")
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    arguments = parser.parse_args()

    context = multiprocessing.get_context("spawn")
    orders, other_end = context.Pipe()
    process = context.Process(target=run_audience, args=(other_end, arguments.viewers), daemon=True)
    process.start()
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

    def fps() -> float:
        """Over one block."""
        time.sleep(SETTLING_S)
        before, started_s = len(counted.fused_ms), time.monotonic()
        time.sleep(arguments.seconds)
        return (len(counted.fused_ms) - before) / (time.monotonic() - started_s)

    ratios, ages_ms, delays_ms, fused_ms = [], [], [], []
    preview_s = whole_s = 0.0
    for number in range(arguments.rounds):
        rates: dict[bool, float] = {}
        # Who goes first alternates too: what drifts cancels.
        for watched in (False, True) if number % 2 == 0 else (True, False):
            if not watched:
                rates[watched] = fps()
                continue
            start, preview_start_s, whole_start_s = len(counted.fused_ms), preview_cpu_s(), time.process_time()
            orders.send(preview.url)
            rates[watched] = fps()
            orders.send(None)
            ages, delays = orders.recv()
            preview_s += preview_cpu_s() - preview_start_s
            whole_s += time.process_time() - whole_start_s
            ages_ms += ages
            delays_ms += delays
            fused_ms += counted.fused_ms[start:]
        ratios.append(rates[True] / rates[False])
        print(f"{rates[True]:.2f} fps watched, {rates[False]:.2f} fps alone: {ratios[-1]:.3f}", flush=True)
    orders.send("")
    process.join(5)
    runner.stop()
    pipeline.join(30)

    print(f"fused frame rate with {arguments.viewers} viewers / without, median: {statistics.median(ratios):.3f}")
    print(f"CPU of the preview's threads: {1e3 * preview_s / len(fused_ms):.1f} ms a frame, ", end="")
    print(f"{preview_s / whole_s:.1%} of the pipeline's")
    print(f"pictures seen: {len(ages_ms)}, of {len(fused_ms) * arguments.viewers} had all seen every one")
    print(f"capture to fused:  {quantiles(fused_ms)}")
    print(f"capture to viewer: {quantiles(ages_ms)}")
    print(f"fused to viewer:   {quantiles(delays_ms)} (two frame intervals: {2 * INTERVAL_MS:.0f} ms)")


if __name__ == "__main__":
    main()
