"""The main job on a scene that stands still: fused video against OpenCV's MergeMertens on the same frames.

    python -m benchmarks.static_scene MAP.hdr [--yaw-deg D] [--stops S] [--seconds S]

The simulated camera films the map, compressed as H.264; the fused video is what `lumabraid video` writes, compressed
again. MergeMertens gets the decoded frames and its result is rounded, not compressed. Both are compared with the
noise-free pair at each frame's time.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch

from stages.color import planes_from_bgr
from stages.frame import BT709
from stages.fusion.mef_ssim import MefSsim


def read_times(path: Path) -> list[int | None]:
    """The time stamp of every frame."""
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


def read_bgr(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Every frame, through the BT.709 matrix."""
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(format="bgr24", src_colorspace="ITU709", dst_color_range="JPEG"), np.uint8)
            for frame in container.decode(video=0)
        ]


def luma_of(bgr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Luma in [0, 1], BT.709."""
    encoded = bgr.astype(np.float32) / np.float32(255)
    return (planes_from_bgr(encoded, BT709).luma.astype(np.float32) - np.float32(16)) / np.float32(219)


def score(truth: Path, index: int, luma: npt.NDArray[np.float32]) -> float:
    """MEF-SSIM of a luma picture against the noise-free pair of a frame."""
    pair = [luma_of(np.asarray(cv2.imread(str(truth / f"{which}_{index:05d}.png")))) for which in ("under", "over")]
    return float(MefSsim(torch.from_numpy(np.stack(pair))[None])(torch.from_numpy(luma)[None, None]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("map", type=Path)
    parser.add_argument("--yaw-deg", type=float, default=0)
    parser.add_argument("--stops", type=float, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--mode", default="stream")
    parser.add_argument("--model", default="lcndr")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, fused, truth = (Path(folder) / name for name in ("clip.mp4", "fused.mp4", "truth"))
        still = ["pan_deg_per_s=0", "shake_deg=0", "objects=0", f"yaw_deg={arguments.yaw_deg}"]
        camera = ["--stops", str(arguments.stops), "--seconds", str(arguments.seconds), "--truth", str(truth)]
        camera += [part for setting in still for part in ("--set", setting)]
        subprocess.run(["lumabraid", "simulate", str(arguments.map), "-o", str(clip), *camera], check=True)
        network = ["--mode", arguments.mode, "--model", arguments.model]
        subprocess.run(["lumabraid", "video", str(clip), "-o", str(fused), *network], check=True)
        captured, result = read_bgr(clip), read_bgr(fused)
        times, fused_times = read_times(clip), read_times(fused)
        print(f"frames in {len(times)}, out {len(fused_times)}; equal pts: {times == fused_times}")
        mertens = cv2.createMergeMertens()
        scores: dict[str, list[float]] = {"lumabraid": [], "OpenCV MergeMertens": []}
        for index, picture in enumerate(result):
            neighbour = captured[index - 1 if index else 1]
            merged = np.rint(mertens.process([captured[index], neighbour]).clip(0, 1) * 255).astype(np.uint8)
            scores["lumabraid"].append(score(truth, index, luma_of(picture)))
            scores["OpenCV MergeMertens"].append(score(truth, index, luma_of(merged)))
        for method, values in scores.items():
            print(
                f"MEF-SSIM against the noise-free pair: mean {np.mean(values):.4f}, worst {min(values):.4f}  {method}"
            )


if __name__ == "__main__":
    main()
