"""``lumabraid bench``: what it prints and writes, on pictures so small that its figures mean nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.bench.film import Film, shoot, write_map
from pipeline.bench.sizes import parse_size
from pipeline.bench.table import MERTENS, OURS, SCRIPT, Line, row
from pipeline.bench.tasks import TASKS, Variant
from pipeline.bench.timing import Contender, Timing, in_turns
from pipeline.cli import main

TINY = "96x64"
ROOT = Path(__file__).parent.parent.parent
PROGRAM = "import sys; from pipeline.entry import main; sys.exit(main())"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    path = tmp_path_factory.mktemp("map") / "map.hdr"
    write_map(path)
    return shoot(path, parse_size(TINY))


def test_every_task_is_a_line_of_the_table_and_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--size", TINY, "--model", "lcndr", "--mode", "stream", "--device", "cpu", "--rounds", "1"]
    assert main(["bench", *arguments, "--json", str(file)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "cores; threads: torch" in printed[0]
    rows = [line for line in printed if line.startswith(TINY)]
    account = json.loads(file.read_text(encoding="utf-8"))
    assert len(rows) == len(account["lines"]) == len(TASKS)
    for task, printed_row, line in zip(TASKS, rows, account["lines"], strict=True):
        assert task in printed_row
        assert line["task"] == task
        assert line["size"] == TINY
        assert (line["model"], line["mode"], line["device"], line["rounds"]) == ("lcndr", "stream", "cpu", 1)
        assert {OURS, MERTENS} <= line["ms"].keys()
        assert (SCRIPT in line["ms"]) == (task != "fuse")
        ratio = line["times_as_fast_as"][MERTENS]["wall"]
        assert ratio == pytest.approx(line["ms"][MERTENS]["wall_ms"] / line["ms"][OURS]["wall_ms"])
        assert line["fps"] == pytest.approx(1000 / line["ms"][OURS]["wall_ms"])
    assert account["machine"]["cores"] >= 1


def test_a_radiance_map_of_one_s_own_and_one_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_map(tmp_path / "room.hdr")
    arguments = ["--size", TINY, "--mode", "stream", "--device", "cpu", "--task", "fuse", "--rounds", "1"]
    assert main(["bench", *arguments, "--model", "lcndr", "--map", str(tmp_path / "room.hdr")]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(TINY)]
    assert [line.split()[4] for line in rows] == ["fuse"]


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("reads /proc/self/status")
    file = tmp_path / "memory.json"
    arguments = ["--size", TINY, "--model", "lcndr", "--mode", "stream", "--device", "cpu", "--memory"]
    assert main(["bench", *arguments, "--json", str(file)]) == 0
    (line,) = json.loads(file.read_text(encoding="utf-8"))["lines"]
    assert 50 < line["libraries_mb"] < line["total_mb"] < 4000
    assert line["gpu_mb"] is None
    assert f"peak {line['total_mb']:.0f} MB" in capsys.readouterr().out


def test_an_interrupt_tells_of_no_file_that_is_gone(tmp_path: Path) -> None:
    arguments = ["--size", TINY, "--model", "lcndr", "--mode", "stream", "--device", "cpu", "--task", "whole"]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "bench", *arguments, "--rounds", "100"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while child.poll() is None and not any(tmp_path.glob("*/ours.partial.mp4")):
            time.sleep(0.001)
        child.terminate()
        assert child.communicate(timeout=60) == (None, "lumabraid: interrupted\n")
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "huge"], "'huge' is no size: give 540p, 720p, 1080p, 4K or WIDTHxHEIGHT"),
        (["--size", "961x540"], "961x540: width and height must be even"),
        (["--size", TINY, "--model", "nothing"], "no model nothing: use one of"),
        (["--size", TINY, "--json", "missing/figures.json"], "does not exist; create it first"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_film_goes_on_for_ever_in_alternating_exposures_and_small_steps(film: Film) -> None:
    brightness = [float(np.mean(film.frame(index).planes.luma)) for index in range(50)]
    assert all(under < over for under, over in zip(brightness[::2], brightness[1::2], strict=True))
    for index, (earlier, later) in enumerate(pairwise(film.frame(index) for index in range(50))):
        assert (earlier.index, earlier.pts) == (index, index)
        assert earlier.planes is not later.planes
    pair = film.pair(3)
    assert (pair.reference.index, pair.neighbour.index, pair.reference_is_under) == (3, 2, False)


def test_contenders_run_in_turns_after_one_warm_up_each() -> None:
    calls: list[str] = []

    def runs(name: str) -> Contender:
        def run() -> int:
            calls.append(name)
            return 2

        return Contender(run)

    timings = in_turns({"a": runs("a"), "b": runs("b")}, seconds=60, rounds=3)
    assert calls == ["a", "b"] * 4
    assert timings.rounds == 3
    assert timings.by_name.keys() == {"a", "b"}


def test_a_line_puts_its_ratios_first() -> None:
    timings = {OURS: Timing(20, 30), MERTENS: Timing(200, 390), SCRIPT: Timing(500, 900)}
    line = Line(parse_size("1080p"), Variant("lcndr", "stream", "cpu"), "whole job", 5, timings)
    cells = row(line).split()
    assert cells[:6] == ["1080p", "cpu", "lcndr", "stream", "whole", "job"]
    assert cells[6:10] == ["10.0", "(13.0)", "25.0", "(30.0)"]
    assert cells[10:13] == ["20", "30", "50"]


def test_a_size_has_a_name_or_its_pixels() -> None:
    assert parse_size("4k").pixels == 3840 * 2160
    assert (parse_size("640x360").width, parse_size("640x360").height) == (640, 360)
