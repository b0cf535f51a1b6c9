"""How long a person waits: for ``lumabraid --help``, and for the first fused frame of ``lumabraid video``.

    python -m benchmarks.startup [--rounds N] [--size WxH] [--imports]

Every start is a process of its own; medians. The first frame counts as there when the encoder has begun its file. With
``--imports``, the packages that take longest to import on the way, by Python's own account.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clips import write_bracketed_clip

PROGRAM = "import sys; from pipeline.cli import main; sys.exit(main())"
FRAMES = 24
POLL_S = 0.002
PATIENCE_S = 120.0
SHOWN_PACKAGES = 8


def help_s() -> float:
    begin_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin_s


def first_frame(clip: Path, folder: Path) -> tuple[float, float]:
    """(wall, CPU) seconds from the command to the first fused frame."""
    partial = folder / "fused.partial.mp4"
    begin_s = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, "video", str(clip), "-o", str(folder / "fused.mp4")]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not partial.exists():
            if child.poll() is not None or time.perf_counter() - begin_s > PATIENCE_S:
                raise SystemExit("no frame was fused: run `lumabraid video` by hand to see why")
            time.sleep(POLL_S)
        return time.perf_counter() - begin_s, cpu_s(child.pid)
    finally:
        child.kill()
        child.wait()
        partial.unlink(missing_ok=True)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far; 0 where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def import_times_ms(clip: Path, folder: Path) -> dict[str, float]:
    """The modules' own time, added up by package, of one whole run."""
    command = [sys.executable, "-X", "importtime", "-c", PROGRAM, "video", str(clip), "-o", str(folder / "fused.mp4")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    totals: dict[str, float] = {}
    for line in told.splitlines():
        own_us, _, name = line.removeprefix("import time:").replace("|", " ").partition(" ")[2].strip().partition(" ")
        if own_us.isdigit() and line.startswith("import time:"):
            package = name.split()[-1].split(".")[0]
            totals[package] = totals.get(package, 0.0) + int(own_us) / 1e3
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--imports", action="store_true")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        write_bracketed_clip(clip, width=width, height=height, frames=FRAMES)
        helps = [help_s() for _ in range(arguments.rounds)]
        firsts = [first_frame(clip, folder) for _ in range(arguments.rounds)]
        print(f"lumabraid --help: {statistics.median(helps):.2f} s (best {min(helps):.2f})")
        walls, cpus = zip(*firsts, strict=True)
        print(
            f"lumabraid video to its first frame, {arguments.size}: {statistics.median(walls):.2f} s "
            f"(best {min(walls):.2f}), {statistics.median(cpus):.2f} s of processor time"
        )
        if arguments.imports:
            totals = import_times_ms(clip, folder)
            for package, total_ms in sorted(totals.items(), key=lambda item: -item[1])[:SHOWN_PACKAGES]:
                print(f"  import {package}: {total_ms:.0f} ms")


if __name__ == "__main__":
    main()
