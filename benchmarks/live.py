"""From the camera to the browser: how old a frame is when a viewer has it, against what its computation takes.

    python -m benchmarks.live MAP.hdr [--seconds S] [--width W] [--height H] [--frame-rate R] [--set KEY=VALUE ...]

A simulated camera's clip is made beforehand, then played at its own pace through the pipeline of `lumabraid live`. One
viewer of the preview page, in another process, asks for what the page asks for. The age is counted from the moment the
frame was decoded, by the clock of this machine. A short clip goes first, unwatched: the first pictures take long.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.audience import Audience
from pipeline.assembly import Pipeline, assemble
from pipeline.config import validate
from pipeline.config_file import apply_overrides, read_settings
from pipeline.live_source import capture_settings
from pipeline.simulate import simulate
from stages.capture.simulated import SimulatedConfig
from stages.encoding.video import VideoConfig, VideoEncoder

WARM_UP_S: Final = 2.0
COMPUTING: Final = ("pairing", "alignment", "fusion")
ALLOWED_INTERVALS: Final = 2


def make_clip(arguments: argparse.Namespace, path: Path, *, seconds: float) -> None:
    config = SimulatedConfig(
        map=str(arguments.map),
        width=arguments.width,
        height=arguments.height,
        frame_rate=arguments.frame_rate,
        seconds=seconds,
    )
    simulate(config, VideoEncoder(VideoConfig(output=str(path), preset="ultrafast")))


def live_pipeline(clip: Path, overrides: list[str]) -> Pipeline:
    """That of `lumabraid live --source CLIP --preview 0`."""
    settings = read_settings("live")
    settings["capture"] = capture_settings(str(clip))
    settings["preview"] = {"address": "0"}
    return assemble(validate(apply_overrides(settings, overrides)))


def run_watched(pipeline: Pipeline) -> list[float]:
    """The age of each picture in milliseconds when the viewer had it."""
    audience = Audience(1)
    run = threading.Thread(target=pipeline.runner.run)
    run.start()
    preview = pipeline.preview
    assert preview is not None
    while preview.url is None:
        time.sleep(0.01)
    audience.come(preview.url)
    run.join()
    seen = audience.go()
    audience.close()
    return seen.ages_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frame-rate", type=float, default=30)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warm_up, clip = Path(folder) / "warm-up.mp4", Path(folder) / "clip.mp4"
        make_clip(arguments, warm_up, seconds=WARM_UP_S)
        make_clip(arguments, clip, seconds=arguments.seconds)
        live_pipeline(warm_up, arguments.overrides).runner.run()
        pipeline = live_pipeline(clip, arguments.overrides)
        ages_ms = run_watched(pipeline)

    report = pipeline.runner.report()
    account = report.account
    print(f"{account.fused} of {account.captured} frames fused, {report.fps:.1f} fps, {account.dropped_total} dropped")
    for name, stage in report.stages.items():
        latency = stage.times.latency
        print(f"  {name:<12} p50 {latency.p50_ms:6.1f} ms, p99 {latency.p99_ms:6.1f} ms")
    print(f"  {'to the sink':<12} p50 {report.latency.p50_ms:6.1f} ms, p99 {report.latency.p99_ms:6.1f} ms")
    p50_ms, p99_ms = np.percentile(ages_ms, [50, 99])
    print(f"  {'to a viewer':<12} p50 {p50_ms:6.1f} ms, p99 {p99_ms:6.1f} ms, of {len(ages_ms)} pictures")
    for name in ("p99_ms", "p50_ms"):
        computed_ms = sum(getattr(report.stages[stage].times.latency, name) for stage in COMPUTING)
        allowed_ms = computed_ms + ALLOWED_INTERVALS * 1000 / arguments.frame_rate
        verdict = "within" if p99_ms <= allowed_ms else "OVER"
        print(
            f"p99 {p99_ms:.0f} ms is {verdict} {allowed_ms:.0f} ms: the {name.removesuffix('_ms')} of "
            f"{', '.join(COMPUTING)} together ({computed_ms:.0f} ms), and {ALLOWED_INTERVALS} frame intervals"
        )


if __name__ == "__main__":
    main()
