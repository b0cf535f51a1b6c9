"""One benchmark from what the command line said to its table and file."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.bench import memory
from pipeline.bench.film import Film, shoot, write_clip, write_map
from pipeline.bench.machine import this_machine
from pipeline.bench.sizes import SIZES, Size
from pipeline.bench.table import LEGEND, MERTENS, OURS, SCRIPT, Line, heading, note, row
from pipeline.bench.tasks import TASKS, Variant, aligning_and_fusing, fusing, run_job
from pipeline.bench.timing import Contender, in_turns
from pipeline.bench.yardsticks import aligning_and_merging, merging, run_script
from pipeline.output_file import check_output, write_output
from stages.device.choice import DeviceName, choose_device
from stages.encoding.video import VideoEncoder
from stages.fusion.mode import Mode
from stages.fusion.models import list_models, load_model

_RUN_PIXELS: Final = SIZES["4k"].pixels
_RUN_FRAMES: Final = (1, 16)
"""Frames of a video follow one another: a run fuses as many as those pixels make, within these limits."""
_JOB_PIXELS: Final = 48 * SIZES["1080p"].pixels
_JOB_FRAMES: Final = (16, 96)
"""A job has as many frames as those pixels make, within these limits."""
_WARM_UP_FRAMES: Final = 8
_MEMORY_FRAMES: Final = 32
"""More than the channels between the stages hold."""
_LONGEST_JOB_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRun:
    """What ``lumabraid bench`` was asked for; nothing of a kind means everything of it."""

    sizes: Sequence[Size] = ()
    models: Sequence[str] = ()
    modes: Sequence[Mode] = ()
    device: DeviceName | None = None
    tasks: Sequence[str] = ()
    """Words that the names of ``TASKS`` begin with."""
    seconds: float
    rounds: int | None = None
    radiance_map: Path | None = None
    memory: bool = False
    json_file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Everything measured at one size shares this."""

    run: BenchRun
    size: Size
    film: Film
    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    def clip(self, frames: int) -> Path:
        """The film's beginning as a file, made when first asked for."""
        path = self.folder / f"{self.size.name}-{frames}.mp4"
        if not path.exists():
            write_clip(self.film, path, frames=frames)
        return path


def run_bench(run: BenchRun) -> Iterator[str]:
    """Measure, and write the file asked for; yields the lines to print as they are known.

    Raises:
        ConfigError: a model does not exist, or the file cannot be written where it shall lie.
        EncodeError: it could not be written after all.
        DeviceError: a GPU was asked for and there is none.
        SourceError: the radiance map cannot be read.
    """
    if run.json_file is not None:
        check_output(run.json_file)
    machine = this_machine()
    variants = _variants(run)
    yield machine.describe()
    if machine.is_busy:
        yield "warning: other programs are busy here: times are too long, and ratios by processor time the surest"
    if machine.gpu is not None:
        yield "device time, overlap of copies, parity with the CPU: python -m benchmarks.cuda, in the repository"
    if not run.memory:
        yield from ("", *heading())
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, _unmentioned(folder):
        radiance_map = run.radiance_map or Path(folder) / "map.hdr"
        if run.radiance_map is None:
            write_map(radiance_map)
        for size in run.sizes or tuple(SIZES.values()):
            place = _Place(run, size, shoot(radiance_map, size), Path(folder), lines)
            for variant in variants:
                yield from _memory(place, variant) if run.memory else _times(place, variant)
    if not run.memory:
        yield from ("", *LEGEND)
    if run.json_file is not None:
        account = {"machine": dataclasses.asdict(machine), "seconds": run.seconds, "lines": lines}
        write_output(run.json_file, json.dumps(account, indent=2, ensure_ascii=False) + "\n")
        yield f"{run.json_file}: the same as JSON"


@contextmanager
def _unmentioned(folder: str) -> Iterator[None]:
    """Let the encoder not tell, when it is interrupted, of a file in a folder that is removed at the end."""
    log = logging.getLogger(VideoEncoder.__module__)

    def is_elsewhere(record: logging.LogRecord) -> bool:
        return folder not in record.getMessage()

    log.addFilter(is_elsewhere)
    try:
        yield
    finally:
        log.removeFilter(is_elsewhere)


def _variants(run: BenchRun) -> list[Variant]:
    """Every network in every mode on every device."""
    devices: list[DeviceName] = ["cpu"]
    if run.device is not None:
        devices = ["cuda" if choose_device(run.device).type == "cuda" else "cpu"]
    elif choose_device("auto").type == "cuda":
        devices.append("cuda")
    models = list(run.models) or [model.name for model in list_models()]
    for model in models:
        load_model(model)
    modes: Sequence[Mode] = run.modes or ("stream", "full")
    return [Variant(model, mode, device) for device in devices for model in models for mode in modes]


def _times(place: _Place, variant: Variant) -> Iterator[str]:
    """The table's lines of one variant."""
    frame_ms = 0.0
    for task in TASKS:
        if place.run.tasks and not task.startswith(tuple(place.run.tasks)):
            continue
        expected_s = frame_ms * _job_frames(place.size) / 1e3
        if task == "whole job" and expected_s > _LONGEST_JOB_S and place.run.rounds is None:
            text = f"left out: would take {expected_s / 60:.0f} minutes a round; --rounds 1 measures it"
            yield note(place.size, variant, task, text)
            continue
        line = _measured(place, variant, task)
        frame_ms = line.timings[OURS].wall_ms
        place.lines.append(line.to_dict())
        yield row(line)


def _measured(place: _Place, variant: Variant, task: str) -> Line:
    with ExitStack() as stack:
        contenders = _contenders(place, variant, task, stack)
        timings = in_turns(contenders, seconds=place.run.seconds, rounds=place.run.rounds)
    return Line(place.size, variant, task, timings.rounds, timings.by_name)


def _contenders(place: _Place, variant: Variant, task: str, stack: ExitStack) -> dict[str, Contender]:
    film, frames = place.film, _fitting(_RUN_PIXELS, place.size, _RUN_FRAMES)
    merged = merging(film, frames=frames)
    if task == "fuse":
        return {OURS: stack.enter_context(fusing(film, variant, frames=frames)), MERTENS: merged}
    if task.startswith("align"):
        return {
            OURS: stack.enter_context(
                aligning_and_fusing(
                    film, variant, "lookahead" if task.endswith("lookahead") else "causal", frames=frames
                )
            ),
            MERTENS: merged,
            SCRIPT: aligning_and_merging(film, frames=frames),
        }
    clip, short = place.clip(_job_frames(place.size)), place.clip(_WARM_UP_FRAMES)
    ours, theirs = place.folder / "ours.mp4", place.folder / "theirs.mp4"
    return {
        OURS: Contender(lambda: run_job(clip, ours, variant), warm_up=lambda: run_job(short, ours, variant)),
        MERTENS: merged,
        SCRIPT: Contender(lambda: run_script(clip, theirs), warm_up=lambda: run_script(short, theirs)),
    }


def _job_frames(size: Size) -> int:
    return _fitting(_JOB_PIXELS, size, _JOB_FRAMES)


def _fitting(pixels: int, size: Size, limits: tuple[int, int]) -> int:
    """How many frames of a size those pixels make, from the fewest to the most."""
    fewest, most = limits
    return min(max(pixels // size.pixels, fewest), most)


def _memory(place: _Place, variant: Variant) -> Iterator[str]:
    """The line of one variant's peak memory."""
    peak = memory.measure(place.clip(_MEMORY_FRAMES), place.folder / "ours.mp4", variant)
    place.lines.append({"size": place.size.name, **dataclasses.asdict(variant), **dataclasses.asdict(peak)})
    yield note(place.size, variant, "whole job", peak.describe())
