"""Everything about fusion on a GPU in one go: parity with the CPU, time by events, peak memory.

    python -m benchmarks.cuda

Needs torch and numpy alone. Ends with exit code 1 where the GPU's pictures differ from the CPU's by more than 1/255 in
the mean or 4/255 at any pixel.
"""

from __future__ import annotations

import statistics
import sys
from typing import Literal

import numpy as np
import torch

from stages.frame import BT709, Planes
from stages.fusion.fuser import Fuser
from stages.fusion.models import list_models, load_model

SIZES = ((960, 540), (1280, 720), (1920, 1080), (3840, 2160))
PARITY_SIZE = (640, 360)
MODES: tuple[Literal["full", "stream"], ...] = ("full", "stream")
WARM_UP, REPEATS = 5, 30
MEAN_LIMIT, MAX_LIMIT = 1.0, 4.0


def picture(width: int, height: int, *, seed: int, brightness: float) -> Planes:
    """Blocks of random brightness with grain."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0, 1, (height // 20 + 1, width // 20 + 1)), np.ones((20, 20)))[:height, :width]
    luma = np.clip(16 + 219 * (brightness * blocks + rng.normal(0, 0.02, (height, width))), 0, 255)
    chroma = rng.integers(100, 156, (2, height // 2, width // 2), np.uint8)
    return Planes(luma.astype(np.uint8), chroma)


def parity(name: str, mode: Literal["full", "stream"]) -> bool:
    """Print the largest and mean difference between the devices; True within the limits."""
    under, over = (picture(*PARITY_SIZE, seed=1, brightness=brightness) for brightness in (0.25, 1.2))
    results = [
        Fuser(load_model(name), mode, torch.device(device)).fuse(under, over, BT709) for device in ("cpu", "cuda")
    ]
    cpu, cuda = (np.concatenate([planes.luma.ravel(), planes.chroma.ravel()]).astype(float) for planes in results)
    difference = np.abs(cpu - cuda)
    agrees = bool(difference.mean() <= MEAN_LIMIT and difference.max() <= MAX_LIMIT)
    verdict = "agrees" if agrees else "DIFFERS"
    print(
        f"{name} {mode}: mean {difference.mean():.4f}, max {difference.max():.0f} code values from the CPU: {verdict}"
    )
    return agrees


def measure(name: str, mode: Literal["full", "stream"], width: int, height: int) -> None:
    """Print the network's time by events, the whole call's time, and peak memory."""
    device = torch.device("cuda")
    fuser = Fuser(load_model(name), mode, device)
    under, over = (picture(width, height, seed=1, brightness=brightness) for brightness in (0.25, 1.2))
    torch.cuda.reset_peak_memory_stats()
    times_ms = []
    for repeat in range(WARM_UP + REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        fuser.fuse(under, over, BT709)
        end.record()
        end.synchronize()
        if repeat >= WARM_UP:
            times_ms.append(begin.elapsed_time(end))
    peak_mib = torch.cuda.max_memory_allocated() / 2**20
    print(
        f"{name} {mode} {width}x{height}: {statistics.median(times_ms):.2f} ms a frame, copies included, "
        f"{max(times_ms):.2f} ms at most, {peak_mib:.0f} MiB"
    )


def main() -> int:
    """Parity first, then times."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing to check")
        return 0
    print(torch.cuda.get_device_name(), torch.__version__)
    combinations = [(model.name, mode) for model in list_models() for mode in MODES]
    agrees = [parity(name, mode) for name, mode in combinations]
    for name, mode in combinations:
        for width, height in SIZES:
            measure(name, mode, width, height)
    return 0 if all(agrees) else 1


if __name__ == "__main__":
    sys.exit(main())
