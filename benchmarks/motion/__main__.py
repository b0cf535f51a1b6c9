"""Fusion of what moves, against what a careful user scripts with OpenCV and against the truth.

    python -m benchmarks.motion --maps A.hdr B.hdr [--cases pan fast] [--seed 1] [--frames 24] [--output FOLDER]

Clips of 320 x 192 pixels are rendered from radiance maps, so that both exposures of every instant and all motion are
known. "upper bound" is the same fusion of the true simultaneous noise-free pair. Last comes what alignment costs at
1920 x 1080. With --output, the figures go to FOLDER/motion.json and a picture strip of each clip to
FOLDER/CASE-MAP.png.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict, astuple
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.motion.cases import CASES
from benchmarks.motion.cost import measure_cost, print_costs
from benchmarks.motion.figures import Figures, measure
from benchmarks.motion.film import film
from benchmarks.motion.methods import METHODS, bounds
from benchmarks.motion.strip import write_strip

_BOUND_NAMES = {"mertens": "upper bound MergeMertens", "lcndr": "upper bound LCNDR"}
_COST_CASES = ("static", "pan", "fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=Path, nargs="+", required=True, help="equirectangular Radiance .hdr files")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seed", type=int, default=0, help="chooses views, objects, hand shake and noise")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--cost-frames", type=int, default=12, help="0: leave the cost out")
    parser.add_argument("--output", type=Path, help="folder for motion.json and the picture strips")
    arguments = parser.parse_args()
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)

    report: dict[str, dict[str, dict[str, Figures]]] = {}
    for name in arguments.cases:
        report[name] = {}
        for map_file in arguments.maps:
            report[name][map_file.stem], rows = _run(name, map_file, arguments)
            if arguments.output:
                write_strip(arguments.output / f"{name}-{map_file.stem}.png", rows)
        _print_table(name, list(report[name].values()))
    if arguments.cost_frames:
        for name in _COST_CASES:
            seed, count = arguments.seed, arguments.cost_frames
            print_costs(name, measure_cost(name, arguments.maps[0], count=count, seed=seed))
    if arguments.output:
        text = json.dumps(report, default=asdict, indent=1)
        (arguments.output / "motion.json").write_text(text + "\n")


def _run(
    case: str, map_file: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Figures], dict[str, list[npt.NDArray[np.float32]]]]:
    """Figures and fused pictures of every method on one clip."""
    clip = film(CASES[case], map_file, count=arguments.frames, seed=arguments.seed)
    best = bounds(clip.truth)
    sharp = best if clip.sharp is clip.truth else bounds(clip.sharp)
    rows = {_BOUND_NAMES[fusion]: pictures for fusion, pictures in best.items()}
    figures = {
        _BOUND_NAMES[fusion]: measure(pictures, pictures, sharp[fusion], clip) for fusion, pictures in best.items()
    }
    for name in arguments.methods:
        rows[name] = METHODS[name].fuse(clip)
        bound = METHODS[name].bound
        figures[name] = measure(rows[name], best[bound], sharp[bound], clip)
    return figures, rows


def _print_table(case: str, clips: list[dict[str, Figures]]) -> None:
    """One line a method: means over the maps, but of the worst frame's figure the smallest."""
    print(f"\n{case:<26} MEF-SSIM   PSNR dB  worst dB   sharp dB   flicker   ghost %", flush=True)
    by_method: dict[str, list[Figures]] = defaultdict(list)
    for clip in clips:
        for method, figures in clip.items():
            by_method[method].append(figures)
    for method, values in by_method.items():
        mef_ssim, psnr_db, _, sharp_db, flicker, ghost = np.mean([astuple(figures) for figures in values], axis=0)
        worst_db = min(figures.worst_psnr_db for figures in values)
        print(
            f"{method:<26} {mef_ssim:8.4f} {psnr_db:9.1f} {worst_db:9.1f} {sharp_db:10.1f} {flicker:9.2f} {ghost:9.2f}"
        )


if __name__ == "__main__":
    main()
