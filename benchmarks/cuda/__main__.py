"""Fusion and alignment on a GPU, all in one go: does it give the CPU's pictures, how fast, and why not faster.

    python -m benchmarks.cuda [--json FILE] [--minutes 7.5] [--rehearse]

Needs torch and NumPy alone; alignment is left out where OpenCV or numba is missing. First parity with the CPU: exit
code 1 where any fused picture is off by more than 1/255 in the mean or 4/255 at any pixel, or any aligned one by more
than 0.1/255 or 8/255. Then, for each model, mode and size, in milliseconds a frame and 8 bits: ``compute`` on the
device by events; ``whole`` from pinned memory to pinned memory with three frames in flight, by the clock; ``rate``, the
whole's rate as a share of that of computing alone; ``busy``, the share of time in which kernels run, and ``overlap``,
the share of the copies' time in which they do, both as the profiler saw it; ``hidden``, the share of the copies' time
that the whole does not show; ``upload`` and ``download``, the copies; ``alone``, a frame from end to end with no other
on its way; ``planes``, with the processor's copies from and to NumPy arrays; the most memory torch took. Then the parts
of a frame, and what half precision, graphs, joined kernels and cuDNN's search for kernels bring; speed and parts are
measured with them joined, which is compiled at first: minutes once a machine. What does not fit into the time is left
out and named.

Of alignment: ``device``, what moving and mixing the pictures takes on the device by events; ``launch``, what it takes
of the thread that gives the device that work; ``cpu``, the same work on the processor; ``chain``, motion search,
alignment and fusion of a frame in one thread; ``up``, what goes to the device for a frame in MiB, beside ``frame``, the
size of a picture: two of them would go up if alignment ran on the processor. One comes down.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.cuda.bench import Bench, Gpu, Rehearsal
from benchmarks.cuda.parity import MODES, Row, parity
from benchmarks.cuda.speed import parts, speed, variants
from benchmarks.cuda.targets import verdicts
from stages.errors import LumabraidError
from stages.fusion.mode import Mode
from stages.fusion.models import list_models

Size = tuple[int, int]
Find = Callable[[Bench, str, Mode, Size], Iterable[Row]]

PARITY = "parity with the CPU"
ALIGNMENT_PARITY = f"{PARITY} in alignment"
SIZES: list[Size] = [(960, 540), (1280, 720), (1920, 1080), (3840, 2160)]
PARITY_SIZES: list[Size] = [(640, 360), (333, 201)]
CLOSER: list[tuple[Mode, Size]] = [
    ("stream", (3840, 2160)),
    ("full", (1920, 1080)),
    ("stream", (1920, 1080)),
    ("full", (1280, 720)),
]
REHEARSED: list[Size] = [(32, 18), (48, 27)]


class Sections:
    """What was found, by section, printed while it is found.

    Args:
        minutes: no row is begun after that.
    """

    def __init__(self, minutes: float) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.left_out: list[str] = []
        self._end_s = time.monotonic() + 60 * minutes

    def add(self, section: str, name: str, rows: Callable[[], Iterable[Row]]) -> None:
        """Find a few rows; what goes wrong with them costs no others."""
        if time.monotonic() > self._end_s:
            self.left_out.append(f"{section} of {name}: no time left")
            return
        try:
            for row in rows():
                self._print(section, row)
        except Exception as error:
            if not isinstance(error, LumabraidError):
                traceback.print_exc()
            self.left_out.append(f"{section} of {name}: {type(error).__name__}: {error}".partition("\n")[0])

    def _print(self, section: str, row: Row) -> None:
        shown = {name: value for name, value in row.items() if name != "kernels"}
        if section not in self.rows:
            self.rows[section] = []
            print(f"\n{section}\n" + "".join(f"{heading(name):>{width(name)}}" for name in shown))
        self.rows[section].append(row)
        print("".join(f"{cell(name, value):>{width(name)}}" for name, value in shown.items()), flush=True)


def heading(name: str) -> str:
    """Of a column."""
    return name.removesuffix("_ms").removesuffix("_share").replace("_255ths", "").replace("_", " ")


def width(name: str) -> int:
    """Of a column."""
    return {
        "model": 12,
        "size": 11,
        "precision": 11,
        "ns_per_pixel": 14,
        "peak_mib": 10,
        "overlap_share": 9,
        "download_ms": 10,
    }.get(name, 9)


def cell(name: str, value: str | float | bool | None) -> str:
    """A figure, for a person."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if name.endswith("_share"):
        return f"{value:.0%}"
    return f"{value:.0f}" if name in ("bits", "peak_mib") else f"{value:.3g}"


def measure(
    bench: Bench, sizes: list[Size], closer: list[tuple[Mode, Size]], parity_sizes: list[Size], minutes: float
) -> Sections:
    """Everything, in the order of what matters."""
    found = Sections(minutes)
    models = [model.name for model in list_models()]
    for model in models:
        found.add(PARITY, model, partial(parity, bench, model, parity_sizes))
    missing = [name for name in ("cv2", "numba") if find_spec(name) is None]
    if missing:
        found.left_out.append(f"alignment: it needs {' and '.join(missing)}")
    else:
        check_alignment(found, bench, parity_sizes)
    cases = [(model, mode, size) for model in models for mode in MODES for size in sizes]
    for model, mode, size in cases:
        found.add("speed", f"{model} {mode} {size}", partial(speed, bench, model, mode, size))
    if not missing:
        measure_alignment(found, bench, models[-1], sizes)
    sections: dict[str, Find] = {"parts of a frame": parts, "variants": variants}
    for section, find in sections.items():
        for mode, size in closer:
            for model in models:
                found.add(section, f"{model} {mode} {size}", partial(find, bench, model, mode, size))
    return found


def check_alignment(found: Sections, bench: Bench, sizes: list[Size]) -> None:
    """What needs more than torch and NumPy, as the next does."""
    from benchmarks.cuda.alignment import alignment_parity

    found.add(ALIGNMENT_PARITY, "both modes", partial(alignment_parity, bench, sizes))


def measure_alignment(found: Sections, bench: Bench, model: str, sizes: list[Size]) -> None:
    """Of both modes, before a model's fusion."""
    from benchmarks.cuda.alignment import ALIGNMENT_MODES, alignment_speed

    for mode in ALIGNMENT_MODES:
        for size in sizes:
            found.add("alignment", f"{mode} {size}", partial(alignment_speed, bench, model, mode, size))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--minutes", type=float, default=7.5, help="begin nothing new after that")
    parser.add_argument("--rehearse", action="store_true", help="go through it all on the CPU, with tiny pictures")
    arguments = parser.parse_args()
    if not arguments.rehearse and not torch.cuda.is_available():
        print("no CUDA device: nothing to measure (--rehearse goes through it on the CPU)")
        return 0
    bench: Bench = Rehearsal() if arguments.rehearse else Gpu()
    print(bench.name)
    if arguments.rehearse:
        closer: list[tuple[Mode, Size]] = [("full", REHEARSED[0]), ("stream", REHEARSED[1])]
        found = measure(bench, REHEARSED, closer, REHEARSED[:1], arguments.minutes)
    else:
        found = measure(bench, SIZES, CLOSER, PARITY_SIZES, arguments.minutes)
    for row in found.rows.get("speed", []):
        if row["kernels"]:
            print(f"\n{row['model']} {row['mode']} {row['size']}, kernels by time: {row['kernels']}")
    # A rehearsal's figures are not held against anything.
    lines = [] if arguments.rehearse else [*verdicts(found.rows.get("speed", []))]
    lines += [f"left out: {line}" for line in found.left_out]
    print("\n" + "\n".join(lines))
    agrees = [bool(row["agrees"]) for section in (PARITY, ALIGNMENT_PARITY) for row in found.rows.get(section, [])]
    if arguments.json:
        content = {"device": bench.name, **found.rows, "verdicts": lines}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unchecked = any(line.startswith(PARITY) for line in found.left_out)
    passed = bool(agrees) and all(agrees) and not unchecked
    print("the GPU gives the CPU's pictures" if passed else "THE GPU DOES NOT GIVE THE CPU'S PICTURES")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
