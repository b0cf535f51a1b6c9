"""Reports and figures that cannot be written: refused before the work, or named after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.pipeline.clips import write_clip
from tests.pipeline.messages import only_error

NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", rate=24, count=8)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder one cannot write in; root can everywhere, so it is only said to be one."""
    folder = tmp_path / "locked"
    folder.mkdir()
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: may(path, mode) and not (mode & os.W_OK and Path(path) == folder)
    )
    return folder


def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    clip: Path, locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fused = clip.with_name("fused.mp4")
    run = ["video", str(clip), "-o", str(fused), *NO_FUSION, "--report"]
    assert main([*run, str(locked / "report.json")]) == 2
    assert only_error(capsys) == f"report folder {locked} is not writable; choose another"
    assert main([*run, os.devnull]) == 2
    assert only_error(capsys).startswith(f"report {os.devnull} is a device")
    assert not fused.exists()


@pytest.mark.parametrize(
    "command", [["evaluate", "pairs", "--json"], ["evaluate", "pairs", "--html"], ["bench", "--json"]]
)
def test_figures_that_cannot_be_written_are_refused_before_the_work(
    command: list[str], locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(locked / "figures")]) == 2
    assert only_error(capsys) == f"output folder {locked} is not writable; choose another"


@pytest.mark.parametrize("output", ["locked/fused.png", "locked"])
def test_fused_pictures_that_cannot_be_written_are_refused_before_the_work(
    output: str, locked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("dark", "bright"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").touch()
    name = "" if output == "locked" else "1.png"
    sources = [str(tmp_path / folder / name) for folder in ("dark", "bright")]
    assert main(["fuse", *sources, "-o", str(tmp_path / output)]) == 2
    assert only_error(capsys) == f"output folder {locked} is not writable; choose another"


@needs_full_disk
def test_a_report_on_a_full_disk_is_named_and_leaves_nothing(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    (tmp_path / "report.json.partial").symlink_to("/dev/full")
    assert main(["video", str(clip), "-o", str(tmp_path / "fused.mp4"), *NO_FUSION, "--report", str(report)]) == 1
    said = capsys.readouterr()
    assert "8 of 8 frames fused" in said.out
    assert said.err == (
        f"lumabraid: error: {report}: cannot be written: No space left on device; check the disk and its space\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "fused.mp4"]
