"""What the pipeline itself costs: 300 frames of 1080p, pass-through fusion, against decoding and encoding alone.

python -m benchmarks.overhead [--frames N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
from av.video.frame import PictureType

from benchmarks.clips import FRAME_RATE, TIME_BASE, write_bracketed_clip
from pipeline.assembly import assemble
from pipeline.config import validate
from stages.encoding.codecs import CODECS
from stages.encoding.videofile import KEYFRAME_INTERVAL_S


def decode_and_encode(clip: Path, output: Path) -> None:
    """The shortest program that does the same to the frames: PyAV, one loop, the same encoder settings."""
    with av.open(str(clip)) as source, av.open(str(output), "w") as sink:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        encoded = sink.add_stream(
            CODECS["h264"].encoder, rate=stream.average_rate, options={"crf": "18", "preset": PRESET}
        )
        assert isinstance(encoded, av.VideoStream)
        encoded.width, encoded.height, encoded.pix_fmt = stream.width, stream.height, "yuv420p"
        encoded.time_base = encoded.codec_context.time_base = TIME_BASE
        encoded.codec_context.thread_type = "FRAME"
        encoded.codec_context.gop_size = round(KEYFRAME_INTERVAL_S * FRAME_RATE)
        for frame in source.decode(stream):
            frame.pict_type = PictureType.NONE  # or the encoder would repeat the decoded frame's type
            sink.mux(encoded.encode(frame))
        sink.mux(encoded.encode(None))


def pipeline(clip: Path, output: Path) -> None:
    """Capture, pairing, no alignment, pass-through fusion and encoding."""
    settings = {
        "capture": {"kind": "file", "input": str(clip)},
        "pairing": {"kind": "brightness"},
        "alignment": {"kind": "none"},
        "fusion": {"kind": "passthrough"},
        "encoding": {"kind": "video", "output": str(output), "preset": PRESET, "crf": 18},
    }
    report = assemble(validate(settings)).runner.run()
    assert report.account.fused == report.account.captured


def timed(job: Callable[[Path, Path], None], clip: Path, output: Path) -> tuple[float, float]:
    """(wall clock, CPU) seconds of a job."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    job(clip, output)
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


PRESET = "medium"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_bracketed_clip(clip, width=1920, height=1080, frames=arguments.frames)
        wall_ratios, cpu_ratios = [], []
        for _ in range(arguments.rounds):
            alone_s, alone_cpu_s = timed(decode_and_encode, clip, Path(folder) / "alone.mp4")
            whole_s, whole_cpu_s = timed(pipeline, clip, Path(folder) / "whole.mp4")
            wall_ratios.append(whole_s / alone_s)
            cpu_ratios.append(whole_cpu_s / alone_cpu_s)
            print(
                f"wall {wall_ratios[-1]:.3f} ({whole_s:.1f} s / {alone_s:.1f} s), CPU {cpu_ratios[-1]:.3f}", flush=True
            )
        wall, cpu = statistics.median(wall_ratios), statistics.median(cpu_ratios)
        print(f"pipeline / decode + encode alone, median of {arguments.rounds}: wall {wall:.3f}, CPU {cpu:.3f}")


if __name__ == "__main__":
    main()
