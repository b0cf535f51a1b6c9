"""Attention at the sizes of video: what torch's exact form costs beside the one that makes the whole N x N matrix.

    python -m benchmarks.attention [--sizes 960x540 ...] [--json]

SAM attends over all N positions of a map reduced by 8, for each exposure; here over random tokens for one, laid out as
SAM lays them out. Each measurement has a process of its own with one thread: processor seconds, the least of three
calls where they are short; the memory that the first call took at its peak, and what the formula asks for (two N x N
matrices of 4 bytes: scores, and their softmax); the largest error of 64 rows against float64. The naive form is left
out where its matrices need more than half of the free memory.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.lcndr import SelfAttention, Widths

SIZES: Final = ("960x540", "1280x720", "1920x1080", "3840x2160")
CHANNELS: Final = Widths().attention
ROWS: Final = 64
_CALLS: Final = 3
_LONG_S: Final = 10.0
"""No further call after so many seconds."""
_SPREAD: Final = 2.0
"""Standard deviation of queries and keys: scores then have one of 4, and a position attends to few others."""


def positions(size: str) -> int:
    """Tokens of a picture, "WIDTHxHEIGHT"."""
    width, height = (max(1, round(int(side) / SelfAttention.REDUCTION)) for side in size.split("x"))
    return width * height


def naive(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(QK^T / sqrt(C)) V as it is written, (N, C) each."""
    return torch.softmax(query @ key.T / math.sqrt(query.shape[1]), dim=1) @ value


def exact(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same through ``scaled_dot_product_attention``, as the network does it."""
    return F.scaled_dot_product_attention(query[None, None], key[None, None], value[None, None])[0, 0]


FORMS: Final = {"naive": naive, "exact": exact}


def measure(form: str, count: int) -> dict[str, float]:
    """Processor seconds, MiB at the peak and the largest error of one form, in this process."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(count)
    tokens = torch.randn(count, 3 * CHANNELS, generator=generator)
    tokens[:, : 2 * CHANNELS] *= _SPREAD
    query, key, value = tokens.chunk(3, dim=1)
    FORMS[form](query[:256], key[:256], value[:256])
    before_mib = _resident_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak so far
    attended, took_s = _timed(form, query, key, value)
    peak_mib = _resident_mib("VmHWM") - before_mib
    times_s = [took_s]
    while len(times_s) < _CALLS and sum(times_s) < _LONG_S:
        times_s.append(_timed(form, query, key, value)[1])
    rows = torch.randperm(count, generator=generator)[:ROWS]
    truth = naive(query[rows].double(), key.double(), value.double())
    return {"seconds": min(times_s), "peak_mib": peak_mib, "error": (attended[rows] - truth).abs().max().item()}


def _timed(form: str, *tokens: Tensor) -> tuple[Tensor, float]:
    """What one call gives, and its processor seconds."""
    started = time.process_time()
    with torch.inference_mode():
        attended = FORMS[form](*tokens)
    return attended, time.process_time() - started


def apart(form: str, count: int) -> dict[str, float]:
    """``measure`` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.attention", "--one", form, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def needed_gib(count: int) -> float:
    """Of the naive form's two matrices."""
    return 2 * count * count * 4 / 2**30


def free_gib() -> float:
    """Memory that is to be had now."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20


def compare(size: str) -> dict[str, float | str | None]:
    """One line of the table."""
    count = positions(size)
    ours = apart("exact", count)
    fits = needed_gib(count) < free_gib() / 2
    theirs = apart("naive", count) if fits else None
    return {
        "size": size,
        "positions": count,
        "exact_s": ours["seconds"],
        "naive_s": theirs["seconds"] if theirs else None,
        "exact_mib": ours["peak_mib"],
        "naive_mib": theirs["peak_mib"] if theirs else None,
        "naive_formula_mib": needed_gib(count) * 1024,
        "exact_error": ours["error"],
        "naive_error": theirs["error"] if theirs else None,
    }


def _resident_mib(field: str) -> float:
    """This process's memory now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]))))
        return
    # A new process takes it from here: the memory that libraries keep for a thread each would count, too.
    os.environ["OMP_NUM_THREADS"] = "1"
    lines = []
    for size in arguments.sizes:
        line = compare(size)
        lines.append(line)
        if arguments.json:
            continue
        if len(lines) == 1:
            print("".join(f"{name:>18}" for name in line))
        shown = ["does not fit" if value is None else value for value in line.values()]
        print("".join(f"{cell:>18}" if isinstance(cell, str) else f"{cell:>18.4g}" for cell in shown), flush=True)
    if arguments.json:
        print(json.dumps(lines, indent=2))


if __name__ == "__main__":
    main()
