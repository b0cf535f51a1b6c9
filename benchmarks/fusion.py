"""How long the fusion stage takes beside OpenCV's MergeMertens, and beside the network run plainly.

    python -m benchmarks.fusion [--model NAME | --widths 8,16,16,16,0,4,3,1,0] [--sizes 960x540 ...] [--threads 1 2]
        [--json]

All run alternately in one process on pictures generated from noise, each for some frames in a row, as those of a video
follow one another. Columns: ``ratio``, MergeMertens over lumabraid,
of the medians; ``cpu``, the same ratio of processor time, which other programs disturb less; medians in milliseconds a
frame: of both, of lumabraid's parts, which are CEM and SAM (``network``), blend and revision (``luma``) and ``chroma``,
and lumabraid's processor time; nanoseconds a pixel; peak memory of the process so far.
MergeMertens gets the BGR pictures it needs ready made, and its result stays the float picture it gives.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch

from stages.frame import BT709, Planes
from stages.fusion.ablation import switch_off
from stages.fusion.codes import CodeValues
from stages.fusion.fast import compiled_engine
from stages.fusion.fuser import Fuser
from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.mode import stream_working_side
from stages.fusion.models import load_model
from stages.fusion.strips import Strips

SIZES = ("960x540", "1280x720", "1920x1080", "3840x2160")
RUN_PIXELS = 3840 * 2160
"""In a row; one frame at least."""


def exposures(width: int, height: int) -> tuple[Planes, Planes]:
    """A picture of blobs and grain at two exposures."""
    rng = np.random.default_rng(0)
    blobs = cv2.resize(rng.random((height // 16, width // 16), dtype=np.float32), (width, height))
    scene = blobs + 0.1 * rng.random((height, width), dtype=np.float32)
    chroma = rng.integers(112, 144, (2, -(-height // 2), -(-width // 2)), dtype=np.uint8)
    under, over = ((np.clip(scene * gain, 0, 1) * 219 + 16).astype(np.uint8) for gain in (0.4, 1.3))
    return Planes(under, chroma), Planes(over, chroma)


def bgr(planes: Planes) -> np.ndarray:
    """As MergeMertens takes it."""
    return np.ascontiguousarray(np.repeat(planes.luma[..., None], 3, axis=2))


def times(contenders: dict[str, Callable[[], object]], rounds: int, frames: int) -> dict[str, tuple[float, float]]:
    """Median (wall, processor) milliseconds of a call of each, taken in turns of so many calls."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(frames):
                call()
            taken = time.perf_counter() - wall, time.process_time() - processor
            if turn:
                seen[name].append((taken[0] * 1e3 / frames, taken[1] * 1e3 / frames))
    return {
        name: (statistics.median(each[0] for each in runs), statistics.median(each[1] for each in runs))
        for name, runs in seen.items()
    }


def parts(network: LCNDR, under: Planes, over: Planes) -> dict[str, Callable[[], object]]:
    """The compiled engine's parts by name; none without it."""
    engine = compiled_engine()
    if isinstance(engine, str):
        return {}
    strips = Strips(torch.get_num_threads())
    fusion = engine(network, (under.height, under.width), strips)
    coefficients, codes = BT709.luma_coefficients(height=under.height), CodeValues.of(BT709, under.bit_depth)
    lumas, fused = (under.luma, over.luma), Planes(np.empty_like(under.luma), np.empty_like(under.chroma))
    return {
        "network": lambda: strips.run(fusion.weighing(*lumas, codes)),
        "luma": lambda: strips.run(fusion.blending(*lumas, fused.luma, codes, after=[])),
        "chroma": lambda: strips.run([fusion.coloring(under, over, fused, coefficients, codes, after=[])]),
    }


def measure(network: LCNDR, size: str, threads: int, rounds: int, *, plain: bool) -> dict[str, float | str]:
    """One line of the table."""
    width, height = map(int, size.split("x"))
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    under, over = exposures(width, height)
    pictures = [bgr(under), bgr(over)]
    mertens = cv2.createMergeMertens()
    fuser = Fuser(network, "stream", torch.device("cpu"))
    lumas = [torch.from_numpy(each.luma)[None, None] / 255 for each in (under, over)]

    def run_plainly() -> None:
        with torch.inference_mode():
            network(*lumas, working_side=stream_working_side(height, width))

    contenders: dict[str, Callable[[], object]] = {
        "mertens": lambda: mertens.process(pictures),
        "lumabraid": lambda: fuser.fuse(under, over, BT709),
    }
    if plain:
        contenders["plain"] = run_plainly
    with torch.inference_mode():
        frames = max(RUN_PIXELS // (width * height), 1)
        found = times(contenders | parts(network, under, over), rounds, frames)
    line: dict[str, float | str] = {
        "size": size,
        "threads": threads,
        "ratio": found["mertens"][0] / found["lumabraid"][0],
        "cpu": found["mertens"][1] / found["lumabraid"][1],
    }
    line |= {f"{name}_ms": wall for name, (wall, _) in found.items()}
    line["cpu_ms"] = found["lumabraid"][1]
    line["ns_per_pixel"] = found["lumabraid"][0] * 1e6 / (width * height)
    line["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lcndr")
    parser.add_argument(
        "--widths", help="random weights: numbers as for lumabraid train; revision or refinement 0 for none"
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plain", action="store_true", help="time the network's luma run plainly, too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.widths:
        widths = Widths(*map(int, arguments.widths.split(",")))
        parts = {"erm": widths.revision, "refinement": widths.refinement_steps}
        widths = replace(widths, revision=max(widths.revision, 1), refinement_steps=max(widths.refinement_steps, 1))
        network = switch_off(LCNDR(widths), [part for part, number in parts.items() if number == 0])
        network.eval().requires_grad_(False)
    else:
        network = load_model(arguments.model)
    lines = [
        measure(network, size, threads, arguments.rounds, plain=arguments.plain)
        for size in arguments.sizes
        for threads in arguments.threads
    ]
    if arguments.json:
        print(json.dumps(lines, indent=2))
        return
    print("".join(f"{name:>14}" for name in lines[0]))
    for line in lines:
        print("".join(f"{value:>14}" if isinstance(value, str) else f"{value:>14.4g}" for value in line.values()))


if __name__ == "__main__":
    main()
