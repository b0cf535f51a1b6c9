"""Whether peak memory grows with the length of a video: the whole pipeline on 100 and on 1,000 frames.

python -m benchmarks.memory [--size WxH]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.clips import write_bracketed_clip
from pipeline.assembly import assemble
from pipeline.config import validate

LENGTHS = (100, 1000)


def run(clip: Path, output: Path) -> None:
    """Fuse in this process and print its peak resident memory in MiB."""
    settings = {
        "capture": {"kind": "file", "input": str(clip)},
        "pairing": {"kind": "brightness"},
        "alignment": {"kind": "flow"},
        "fusion": {"kind": "lcndr", "device": "cpu"},
        "encoding": {"kind": "video", "output": str(output)},
    }
    assemble(validate(settings)).runner.run()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="320x180")
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(*arguments.run)
        return
    width, height = map(int, arguments.size.split("x"))
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in LENGTHS:
            clip = Path(folder) / f"{frames}.mp4"
            write_bracketed_clip(clip, width=width, height=height, frames=frames)
            command = [sys.executable, "-m", "benchmarks.memory", "--run", str(clip), str(Path(folder) / "out.mp4")]
            peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]))
            print(f"{frames} frames of {arguments.size}: {peaks[-1]:.0f} MiB", flush=True)
    print(f"ratio: {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
