"""What the pipeline itself costs: 300 frames of 1080p, pass-through fusion, against decoding and encoding alone.

python -m benchmarks.overhead [--frames N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import av

from benchmarks.clips import write_bracketed_clip
from pipeline.assembly import assemble
from pipeline.config import validate
from stages.encoding.codecs import CODECS


def decode_and_encode(clip: Path, output: Path) -> float:
    """Seconds for the shortest program that does the same to the frames: PyAV, one loop, the same encoder settings."""
    started = time.perf_counter()
    with av.open(str(clip)) as source, av.open(str(output), "w") as sink:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        encoded = sink.add_stream(
            CODECS["h264"].encoder, rate=stream.average_rate, options={"crf": "18", "preset": PRESET}
        )
        assert isinstance(encoded, av.VideoStream)
        encoded.width, encoded.height, encoded.pix_fmt = stream.width, stream.height, "yuv420p"
        encoded.codec_context.thread_type = "AUTO"
        for frame in source.decode(stream):
            sink.mux(encoded.encode(frame))
        sink.mux(encoded.encode(None))
    return time.perf_counter() - started


def pipeline(clip: Path, output: Path) -> float:
    """Seconds for capture, pairing, no alignment, pass-through fusion and encoding."""
    settings = {
        "capture": {"kind": "file", "input": str(clip)},
        "pairing": {"kind": "brightness"},
        "alignment": {"kind": "none"},
        "fusion": {"kind": "passthrough"},
        "encoding": {"kind": "video", "output": str(output), "preset": PRESET, "crf": 18},
    }
    started = time.perf_counter()
    report = assemble(validate(settings)).runner.run()
    seconds = time.perf_counter() - started
    assert report.account.fused == report.account.captured
    return seconds


PRESET = "medium"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_bracketed_clip(clip, width=1920, height=1080, frames=arguments.frames)
        ratios = []
        for _ in range(arguments.rounds):
            alone = decode_and_encode(clip, Path(folder) / "alone.mp4")
            whole = pipeline(clip, Path(folder) / "whole.mp4")
            ratios.append(whole / alone)
            print(f"pipeline / decode + encode alone: {ratios[-1]:.3f}   ({whole:.1f} s / {alone:.1f} s)", flush=True)
        print(f"median of {arguments.rounds}: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
