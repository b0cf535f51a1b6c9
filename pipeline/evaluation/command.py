"""One evaluation from what the command line said to its table and files."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.evaluation.classical import DebevecDrago, Enfuse, MergeMertens, PlainAverage
from pipeline.evaluation.evaluation import evaluate
from pipeline.evaluation.methods import FolderOfResults, Lcndr, Method
from pipeline.evaluation.metrics.judge import Scores
from pipeline.evaluation.pair import EvaluationPair
from pipeline.evaluation.pairs import find_pairs
from pipeline.evaluation.picture import Picture
from pipeline.evaluation.report import Report
from pipeline.evaluation.table import text_table, write_json
from pipeline.output_file import check_output
from pipeline.progress import Progress, progress
from stages.device.choice import DeviceName, choose_device
from stages.errors import ConfigError, SourceError
from stages.fusion.mode import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRun:
    """What ``lumabraid evaluate`` was asked for."""

    places: Sequence[Path]
    """Folders of pairs, radiance maps, folders of maps."""
    models: Sequence[str]
    modes: Sequence[Mode]
    device: DeviceName
    results: Mapping[str, Path]
    """Folders of other methods' results by the methods' names."""
    longest_side: int | None
    pairs_per_map: int
    seed: int
    clean: bool
    """Pairs of radiance maps have neither noise nor compression."""
    json_file: Path | None
    html_file: Path | None


def run_evaluation(run: EvaluationRun) -> Iterator[str]:
    """Evaluate and write the files asked for; yields the lines to print, the table before any file is written.

    Raises:
        ConfigError: a model or a folder does not exist, a file cannot be written where it shall lie, or two methods
            have one name.
        EncodeError: a file could not be written after all.
        SourceError: there are no pairs, or none could be read.
    """
    for file in (run.json_file, run.html_file):
        if file is not None:
            check_output(file)
    pairs = find_pairs(
        run.places, longest_side=run.longest_side, pairs_per_map=run.pairs_per_map, seed=run.seed, clean=run.clean
    )
    methods = _methods(run, [pair.name for pair in pairs])
    with progress("evaluate", unit="pictures/s") as bar:
        audience = _Audience(bar, Report(len(pairs)) if run.html_file is not None else None)
        evaluation = evaluate(pairs, methods, audience)
    if not evaluation.pairs:
        raise SourceError(f"none of {len(pairs)} pairs could be evaluated; the lines above say why")
    yield from text_table(evaluation)
    settings = _settings(run)
    if run.json_file is not None:
        write_json(run.json_file, evaluation, settings)
        yield f"{run.json_file}: the values of every pair"
    if run.html_file is not None and audience.report is not None:
        audience.report.write(run.html_file, evaluation, settings)
        yield f"{run.html_file}: pictures and zooms"


def _methods(run: EvaluationRun, pair_names: Sequence[str]) -> list[Method]:
    device = choose_device(run.device)
    methods: list[Method] = [PlainAverage(), MergeMertens(), DebevecDrago()]
    enfuse = Enfuse.on_path()
    if enfuse is not None:
        methods.append(enfuse)
    methods += [FolderOfResults(name, folder, pair_names, run.longest_side) for name, folder in run.results.items()]
    methods += [Lcndr(model, mode, device) for model in run.models for mode in run.modes]
    names = [method.name for method in methods]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two methods are named {twice[0]}; give results and weights names of their own")
    return methods


def _settings(run: EvaluationRun) -> dict[str, Any]:
    """As plain values, with the versions that made the figures."""
    settings = {
        key: _plain(value) for key, value in dataclasses.asdict(run).items() if key not in ("json_file", "html_file")
    }
    packages = ("lumabraid", "numpy", "opencv-python", "torch")
    return settings | {"versions": {package: version(package) for package in packages}}


def _plain(value: Any) -> Any:
    """Paths as strings, at any depth."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


class _Audience:
    """Shows progress, prints failures as they come, hands pictures to the report."""

    def __init__(self, bar: Progress, report: Report | None) -> None:
        self._bar = bar
        self.report = report
        self._begin_s = time.monotonic()

    def on_step(self, done: int, total: int, doing: str) -> None:
        elapsed_s = max(time.monotonic() - self._begin_s, 1e-6)
        self._bar.show(done, total, done / elapsed_s, doing)

    def on_failure(self, line: str) -> None:
        print(f"lumabraid: {line}", file=sys.stderr, flush=True)

    def on_unreadable(self) -> None:
        if self.report is not None:
            self.report.skip()

    def on_pair(self, pair: EvaluationPair, fused: Mapping[str, Picture], scores: Mapping[str, Scores]) -> None:
        if self.report is not None:
            self.report.add(pair, fused, scores)
