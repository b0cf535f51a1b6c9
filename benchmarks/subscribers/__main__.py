"""What eight subscribers do to a publisher, and get from it, side by side with one in one run; or throughput.

    python -m benchmarks.subscribers [--seconds S] [--size WxH] [--fps N] [--transport tcp|ipc] [--json FILE]
    python -m benchmarks.subscribers --throughput [--seconds S] [--size WxH] [--fps N] [--json FILE]

Blocks with one reader alternate with blocks in which seven more are there: one more that keeps up, a slow one (200 ms a
frame), one that comes half-way, one that is stopped, one that is killed, two that come and go at random. A block is
about 15 s long; its first 15 % are not measured.

At 1080p and 30 frames/s, the default, two cores are a quarter busy among all eight, and a frame has left before the
next one comes. Where other work or a higher rate fills the cores, the wall clock shows who got one: "machine busy"
tells, and the CPU time in the stage stays comparable.

Exits with 1 where a reader's account of what was published, received and lost does not balance.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from benchmarks.subscribers.crowd import observe
from benchmarks.subscribers.figures import Figures, evaluate
from benchmarks.subscribers.report import print_crowd, print_throughput
from benchmarks.subscribers.schedule import make_schedule
from benchmarks.subscribers.source import Load
from benchmarks.subscribers.throughput import ENCODINGS, measure
from stages.publishing.topics import Encoding

_START_S = 60
"""More than all processes need to start and to end."""


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory() as folder:
        addresses = {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{folder}/stream"}
        figures = _throughput(arguments, addresses) if arguments.throughput else _crowd(arguments, addresses)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["exact"] else 1


def _crowd(arguments: argparse.Namespace, addresses: dict[str, str]) -> Figures:
    """Eight readers of raw YUV."""
    load = _load(arguments, addresses[arguments.transport], "yuv420p", frames_per_s=arguments.fps or 30)
    schedule = make_schedule(arguments.seconds, arguments.seed)
    figures = {"load": asdict(load), "seconds": arguments.seconds, **evaluate(observe(load, schedule), schedule)}
    print_crowd(figures)
    return figures


def _throughput(arguments: argparse.Namespace, addresses: dict[str, str]) -> Figures:
    """Each transport with each raw encoding, for a quarter of the time."""
    rows = {}
    for transport, address in addresses.items():
        for encoding in ENCODINGS:
            load = _load(arguments, address, encoding, frames_per_s=arguments.fps or 60)
            rows[f"{transport} {encoding}"] = measure(load, arguments.seconds / 4)
    print_throughput(rows)
    return {"seconds": arguments.seconds, "rows": rows, "exact": all(row["exact"] for row in rows.values())}


def _load(arguments: argparse.Namespace, address: str, encoding: Encoding, *, frames_per_s: int) -> Load:
    width, height = map(int, arguments.size.split("x"))
    return Load(
        address=address,
        encoding=encoding,
        width=width,
        height=height,
        frames_per_s=frames_per_s,
        longest_s=arguments.seconds + _START_S,
    )


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Leave as after Ctrl-C: nothing may stay behind."""
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--throughput", action="store_true", help="one reader, ipc and tcp, yuv420p and bgr8")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", type=int, help="default 30, with --throughput 60")
    parser.add_argument("--transport", choices=("tcp", "ipc"), default="tcp")
    parser.add_argument("--seed", type=int, default=0, help="of who comes and goes when")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
