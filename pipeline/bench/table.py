"""The benchmark's figures as lines of a table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.bench.sizes import Size
from pipeline.bench.tasks import Variant
from pipeline.bench.timing import Timing

OURS: Final = "lumabraid"
MERTENS: Final = "MergeMertens"
SCRIPT: Final = "script"


@dataclass(frozen=True, slots=True)
class Line:
    """One task of one variant at one size."""

    size: Size
    variant: Variant
    task: str
    rounds: int
    timings: Mapping[str, Timing]
    """Of ``OURS``, ``MERTENS`` and, where it does the same work, ``SCRIPT``."""

    def times_as_fast_as(self, other: str) -> tuple[float, float] | None:
        """By the clock and by processor time; None where it was not measured."""
        if other not in self.timings:
            return None
        ours, theirs = self.timings[OURS], self.timings[other]
        return theirs.wall_ms / ours.wall_ms, theirs.cpu_ms / ours.cpu_ms

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        ratios = {name: self.times_as_fast_as(name) for name in (MERTENS, SCRIPT) if name in self.timings}
        return {
            "size": self.size.name,
            "width": self.size.width,
            "height": self.size.height,
            **dataclasses.asdict(self.variant),
            "task": self.task,
            "rounds": self.rounds,
            "times_as_fast_as": {
                name: dict(zip(("wall", "cpu"), ratio, strict=True)) for name, ratio in _known(ratios)
            },
            "ms": {name: dataclasses.asdict(timing) for name, timing in self.timings.items()},
            "fps": 1e3 / self.timings[OURS].wall_ms,
            "ns_per_pixel": self.timings[OURS].wall_ms * 1e6 / self.size.pixels,
        }


_COLUMNS: Final = (
    ("size", "", 10),
    ("device", "", 7),
    ("model", "", 13),
    ("mode", "", 7),
    ("task", "", 24),
    ("times as fast as", "MergeMertens", 16),
    ("", "the script", 14),
    ("", "ms", 9),
    ("", "CPU ms", 9),
    ("", "fps", 8),
    ("ns per", "pixel", 8),
    ("MergeMertens", "ms", 13),
    ("script", "ms", 9),
    ("", "rounds", 7),
)
_TEXTS: Final = 5
"""Columns that are aligned to the left."""

LEGEND: Final = (
    "times as fast: by the clock, and in brackets by processor time; ms: a frame, median of the rounds, all in turns",
    "MergeMertens: alone, on pictures ready made; script: VideoCapture, AlignMTB, MergeMertens, VideoWriter for the",
    "whole job, AlignMTB and MergeMertens on pictures ready made for align + fuse",
)


def heading() -> Iterator[str]:
    """The table's first lines."""
    yield _row([upper for upper, _, _ in _COLUMNS])
    yield _row([lower for _, lower, _ in _COLUMNS])


def row(line: Line) -> str:
    """A line of the table."""
    ours = line.timings[OURS]
    yardsticks = [line.timings[name].wall_ms if name in line.timings else None for name in (MERTENS, SCRIPT)]
    return _row(
        [
            *_labels(line.size, line.variant, line.task),
            *(_ratio(line.times_as_fast_as(name)) for name in (MERTENS, SCRIPT)),
            *(_figure(value) for value in (ours.wall_ms, ours.cpu_ms, 1e3 / ours.wall_ms)),
            _figure(ours.wall_ms * 1e6 / line.size.pixels),
            *(_figure(value) for value in yardsticks),
            str(line.rounds),
        ]
    )


def note(size: Size, variant: Variant, task: str, text: str) -> str:
    """A line with words in place of figures."""
    labels = _labels(size, variant, task)
    return f"{_row(labels)} {text}"


def _labels(size: Size, variant: Variant, task: str) -> list[str]:
    return [size.name, variant.device, Path(variant.model).stem, variant.mode, task]


def _row(cells: list[str]) -> str:
    widths = [width for _, _, width in _COLUMNS]
    aligned = [
        f"{cell:<{width}}" if position < _TEXTS else f"{cell:>{width}}"
        for position, (cell, width) in enumerate(zip(cells, widths, strict=False))
    ]
    return "".join(aligned).rstrip()


def _ratio(ratio: tuple[float, float] | None) -> str:
    return "-" if ratio is None else "{} ({})".format(*(f"{value:.{2 if value < 10 else 1}f}" for value in ratio))


def _figure(value: float | None) -> str:
    """Three digits, or as many as it takes before the point."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _known(ratios: Mapping[str, tuple[float, float] | None]) -> Iterator[tuple[str, tuple[float, float]]]:
    for name, ratio in ratios.items():
        if ratio is not None:
            yield name, ratio
