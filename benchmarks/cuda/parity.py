"""Whether a GPU gives the CPU's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

import torch

from benchmarks.cuda.bench import Bench
from stages.frame import BT709
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.cuda.replay import WARM_UP_FRAMES
from stages.fusion.fuser import Fuser
from stages.fusion.mode import Mode
from stages.fusion.models import load_model

MODES: Final[tuple[Mode, ...]] = ("full", "stream")

Row = dict[str, str | float | bool | None]


def parity(bench: Bench, model: str, sizes: list[tuple[int, int]]) -> Iterator[Row]:
    """Each mode, size and depth: the CPU's picture against the GPU's first, and against one replayed from a graph.

    Once with every operation a kernel of its own, once with kernels joined.
    """
    for mode, join_kernels in product(MODES, (False, True)):
        fuser = CudaFuser(
            load_model(model),
            mode,
            bench.queue(),
            frames_in_flight=2,
            precision=bench.precision,
            join_kernels=join_kernels,
        )
        cpu = Fuser(load_model(model), mode, torch.device("cpu"))
        for width, height in sizes:
            for bit_depth in (8, 10):
                pair = synthetic_pair(width, height, bit_depth=bit_depth)
                expected = cpu.fuse(*pair, BT709)
                count = WARM_UP_FRAMES + 2
                fused = [each for _ in range(count) for each in fuser.push(*pair, BT709)] + fuser.drain()
                for name, planes in (("first", fused[0]), ("replayed", fused[-1])):
                    difference = Difference.between(planes, expected)
                    yield {
                        "model": model,
                        "mode": mode,
                        "size": f"{width}x{height}",
                        "bits": bit_depth,
                        "join_kernels": join_kernels,
                        "precision": str(fuser.network.precision).removeprefix("torch."),
                        "frame": name,
                        "mean_255ths": difference.mean,
                        "max_255ths": difference.max,
                        "agrees": difference.is_small,
                    }
