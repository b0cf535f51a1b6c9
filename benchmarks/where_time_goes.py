"""Where a frame's time goes in ``lumabraid video``, as bars in an SVG.

    python -m benchmarks.where_time_goes [--size 1920x1080] [--frames N] [--mode stream] [--alignment lookahead]
        [--svg FILE]

Twice over a clip of the simulated camera. First each stage alone, one after the other: what it takes by the clock
with all cores to itself, and of processor time with all of its threads. Then the pipeline as it is, all stages at
once: how long each is busy, and how long a frame takes altogether.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.assembly import assemble
from pipeline.bench.film import shoot, write_clip, write_map
from pipeline.bench.sizes import parse_size
from pipeline.config import PipelineConfig, validate
from pipeline.config_file import read_settings
from pipeline.registry import stage_class
from stages.stage import Dropped, Source, Stage

NAMES: Final = {
    "capture": "decode",
    "pairing": "pair",
    "alignment": "align",
    "fusion": "fuse",
    "encoding": "encode",
}
COLORS: Final = ("#4e79a7", "#76b7b2", "#f28e2b", "#e15759", "#59a14f")
WARM_UP_FRAMES: Final = 8
WIDTH, BAR, GAP, LEFT, TOP, BOTTOM = 860, 34, 22, 190, 64, 46


@dataclass(frozen=True, slots=True)
class Bar:
    """One way of counting, in milliseconds a frame by stage."""

    label: str
    parts_ms: dict[str, float]

    @property
    def total_ms(self) -> float:
        """All stages together."""
        return sum(self.parts_ms.values())


def settings(clip: Path, output: Path, arguments: argparse.Namespace) -> PipelineConfig:
    """The preset ``offline``, as ``lumabraid video`` takes it."""
    chosen = read_settings("offline")
    chosen["capture"] = {"kind": "file", "input": str(clip)}
    chosen["alignment"]["mode"] = arguments.alignment
    chosen["fusion"] |= {"model": arguments.model, "mode": arguments.mode, "device": arguments.device}
    chosen["encoding"] = {"kind": "video", "output": str(output)}
    return validate(chosen)


def alone(config: PipelineConfig) -> tuple[dict[str, float], dict[str, float]]:
    """(wall, CPU) milliseconds a frame of every stage when no other runs: each takes all that the one before gave."""
    wall_ms: dict[str, float] = {}
    cpu_ms: dict[str, float] = {}
    items: list[Any] = []
    info, frames = None, 0
    for role, name in NAMES.items():
        section = getattr(config, role)
        with closing(stage_class(role, section.kind)(section)) as stage:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            if isinstance(stage, Source):
                info = stage.open()
                items = list(iter(stage.read, None))
                frames = len(items)
            else:
                info = stage.open(info)
                items = list(_through(stage, items))
            wall_ms[name] = (time.perf_counter() - wall_s) * 1e3 / frames
            cpu_ms[name] = (time.process_time() - cpu_s) * 1e3 / frames
    return wall_ms, cpu_ms


def _through(stage: Stage[Any, Any], items: list[Any]) -> Iterable[Any]:
    for item in items:
        yield from (made for made in stage.process(item) if not isinstance(made, Dropped))
    yield from stage.flush()


def together(config: PipelineConfig) -> tuple[dict[str, float], float]:
    """Milliseconds a frame that every stage is busy in the running pipeline, and that a frame takes altogether."""
    report = assemble(config).runner.run()
    frames = report.account.fused
    busy_ms = {NAMES[role]: stage.times.busy_s * 1e3 / frames for role, stage in report.stages.items()}
    return busy_ms, report.wall_s * 1e3 / frames


def svg(bars: list[Bar], frame_ms: float, title: str) -> str:
    """Stacked bars to one scale, and a mark where the pipeline has a frame finished."""
    scale = (WIDTH - LEFT - 80) / max(frame_ms, *(bar.total_ms for bar in bars))
    height = TOP + len(bars) * (BAR + GAP) + BOTTOM
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" fill="#333">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="24" font-size="15">{title}</text>',
    ]
    for column, (name, color) in enumerate(zip(NAMES.values(), COLORS, strict=True)):
        left = LEFT + 110 * column
        drawn.append(f'<rect x="{left}" y="38" width="12" height="12" fill="{color}"/>')
        drawn.append(f'<text x="{left + 18}" y="49">{name}</text>')
    for line, bar in enumerate(bars):
        x, y = float(LEFT), TOP + line * (BAR + GAP)
        drawn.append(f'<text x="{LEFT - 10}" y="{y + 22}" text-anchor="end">{bar.label}</text>')
        for name, color in zip(NAMES.values(), COLORS, strict=True):
            width = bar.parts_ms[name] * scale
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{color}"/>')
            if width > 30:
                label = f'<text x="{x + width / 2:.1f}" y="{y + 22}" text-anchor="middle" fill="#fff">'
                drawn.append(f"{label}{bar.parts_ms[name]:.3g}</text>")
            x += width
        drawn.append(f'<text x="{x + 6:.1f}" y="{y + 22}">{bar.total_ms:.3g} ms</text>')
    x, foot = LEFT + frame_ms * scale, height - BOTTOM + 4
    drawn.append(f'<path d="M{x:.1f} {TOP - 6}V{foot}" stroke="#333" stroke-dasharray="4 3"/>')
    drawn.append(f'<text x="{x:.1f}" y="{foot + 18}" text-anchor="middle">a frame every {frame_ms:.3g} ms</text>')
    return "\n".join([*drawn, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=parse_size, default="1920x1080")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--model", default="lcndr")
    parser.add_argument("--mode", choices=["stream", "full"], default="stream")
    parser.add_argument("--alignment", choices=["lookahead", "causal"], default="lookahead")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_map(folder / "map.hdr")
        film = shoot(folder / "map.hdr", arguments.size)
        short, clip = folder / "short.mp4", folder / "clip.mp4"
        write_clip(film, short, frames=WARM_UP_FRAMES)
        write_clip(film, clip, frames=arguments.frames)
        together(settings(short, folder / "fused.mp4", arguments))
        config = settings(clip, folder / "fused.mp4", arguments)
        wall_ms, cpu_ms = alone(config)
        busy_ms, frame_ms = together(config)
    bars = [
        Bar("alone, by the clock", wall_ms),
        Bar("alone, processor time", cpu_ms),
        Bar("all at once, busy", busy_ms),
    ]
    print(f"{'ms a frame':24}" + "".join(f"{name:>9}" for name in (*NAMES.values(), "sum")))
    for bar in bars:
        figures = (*(bar.parts_ms[name] for name in NAMES.values()), bar.total_ms)
        print(f"{bar.label:24}" + "".join(f"{figure:9.1f}" for figure in figures))
    print(f"the pipeline finishes a frame every {frame_ms:.1f} ms, {1e3 / frame_ms:.1f} a second")
    if arguments.svg is not None:
        title = f"Where a frame's time goes: {arguments.size.name}, {arguments.mode}, {arguments.alignment}, ms a frame"
        arguments.svg.write_text(svg(bars, frame_ms, title), encoding="utf-8")


if __name__ == "__main__":
    main()
