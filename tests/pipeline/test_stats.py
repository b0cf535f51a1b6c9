"""``--stats``: a line a second for a program, and a run that does not depend on it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.report import State
from pipeline.stats_lines import StatsLines
from tests.pipeline.clips import write_clip

PROGRAM = "import sys; from pipeline.cli import main; sys.exit(main())"
NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]


def video(tmp_path: Path, stdout: int, *options: str) -> tuple[int, str]:
    """The exit code, and what was said on stderr."""
    clip = write_clip(tmp_path / "clip.mp4", rate=24, count=24)
    arguments = ["video", str(clip), "-o", str(tmp_path / "fused.mp4"), *NO_FUSION, *options]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(pipeline.__file__).parents[1])},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, ended.stderr


def test_a_run_goes_on_when_the_reader_of_its_statistics_leaves(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code, said = video(tmp_path, writer, "--stats")
    os.close(writer)
    assert said == "lumabraid: warning: the statistics end here, for stdout cannot be written: Broken pipe\n"
    assert code == 0
    assert (tmp_path / "fused.mp4").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_run_goes_on_when_its_statistics_fill_the_disk(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        code, said = video(tmp_path, full.fileno(), "--stats")
    assert said.endswith("stdout cannot be written: No space left on device\n")
    assert said.count("\n") == 1
    assert code == 0
    assert (tmp_path / "fused.mp4").exists()


def test_a_report_is_written_even_when_nobody_reads_the_account(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    video(tmp_path, writer, "--report", str(tmp_path / "report.json"))
    os.close(writer)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["state"] == "complete"
    assert (tmp_path / "fused.mp4").exists()


def test_a_line_comes_at_most_once_a_second_also_after_a_stall_and_the_last_one_once(
    rig: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    report, lines = rig.build().report(), StatsLines()

    def states(after_s: float, state: State = "running") -> list[str]:
        nonlocal now_s
        now_s += after_s
        lines.show(dataclasses.replace(report, state=state))
        return [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]

    assert states(0.9) == []
    assert states(0.2) == ["running"]
    assert states(30) == ["running"]
    assert states(0.25) == states(0.25) == states(0.25) == []
    assert states(0.25, "stopping") == ["stopping"]
    assert states(2, "complete") == []
    lines.end(dataclasses.replace(report, state="complete"))
    assert json.loads(capsys.readouterr().out)["state"] == "complete"
