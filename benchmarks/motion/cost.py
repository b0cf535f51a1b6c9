"""What alignment costs at 1920 x 1080, beside OpenCV's MergeMertens on the same frames, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.motion.cases import CASES
from benchmarks.motion.film import film
from benchmarks.motion.methods import bgr_picture
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.frame import ExposurePair

_WIDTH, _HEIGHT = 1920, 1080
_WARM_FRAMES = 3
"""Compiled, read from disk, in step: what the first frames pay for is not counted."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one frame; medians over a clip."""

    wall_ms: float
    cpu_ms: float
    """Of all threads together."""
    mertens_share: float
    """Wall time as a share of MergeMertens' in the same run."""


def measure_cost(case: str, map_file: Path, *, count: int, seed: int) -> dict[str, Cost]:
    """Costs by name on one case; MergeMertens is among them."""
    clip = film(CASES[case], map_file, count=count + _WARM_FRAMES, seed=seed, size=(_WIDTH, _HEIGHT))
    pictures = [bgr_picture(frame.planes) for frame in clip.frames]
    mertens = cv2.createMergeMertens()
    stages = {
        f"lumabraid, {config.mode}": FlowAlignment(config)
        for config in (FlowConfig(mode="causal", device="cpu"), FlowConfig(mode="lookahead", device="cpu"))
    }
    times: dict[str, list[tuple[float, float]]] = {"MergeMertens": [], **{name: [] for name in stages}}
    for index in range(len(clip.frames)):
        pair = clip.pair(index)
        both = [pictures[frame.index] for frame in (pair.reference, pair.neighbour)]
        times["MergeMertens"].append(_timed(partial(mertens.process, both)))
        for name, stage in stages.items():
            times[name].append(_timed(partial(_align, stage, pair)))
    for stage in stages.values():
        stage.close()
    medians = {name: np.median(values[_WARM_FRAMES:], axis=0) for name, values in times.items()}
    yardstick_ms = medians["MergeMertens"][0]
    return {name: Cost(float(wall), float(cpu), float(wall / yardstick_ms)) for name, (wall, cpu) in medians.items()}


def print_costs(case: str, costs: dict[str, Cost]) -> None:
    """One line a method."""
    print(f"\n{case + ', 1920 x 1080':<26} of MergeMertens   wall ms    CPU ms", flush=True)
    for name, cost in costs.items():
        print(f"{name:<26} {cost.mertens_share:15.2f} {cost.wall_ms:9.1f} {cost.cpu_ms:9.1f}")


def _align(stage: FlowAlignment, pair: ExposurePair) -> None:
    for _ in stage.process(pair):
        pass


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time in milliseconds."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return 1e3 * (time.perf_counter() - wall_s), 1e3 * (time.process_time() - cpu_s)
