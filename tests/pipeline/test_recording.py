"""Recording as a person uses it: `lumabraid run --record`."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from pipeline.cli import main
from tests.pipeline.clips import write_clip

RATE, COUNT = 12, 40


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Alternating exposures."""
    return write_clip(tmp_path / "clip.mp4", rate=RATE, count=COUNT)


@pytest.fixture
def pipeline(tmp_path: Path, clip: Path) -> Path:
    """A configuration that writes a video."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        f"""
capture: {{kind: file, input: {clip}}}
alignment: {{kind: none}}
fusion: {{kind: passthrough}}
encoding: {{kind: video, output: {tmp_path / "fused.mp4"}, codec: h264, keep_streams: false}}
report: {tmp_path / "report.json"}
""",
        encoding="utf-8",
    )
    return path


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_record_takes_the_place_of_the_configured_output(
    pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "footage of café 😀"
    settings = ["--set", "encoding.segment_s=1", "--set", "encoding.min_free_mb=0"]
    assert main(["run", str(pipeline), "--record", str(folder), *settings]) == 0

    segments = sorted(folder.iterdir())
    assert [frames_in(path) for path in segments] == [12, 12, 12, 4]
    assert not (tmp_path / "fused.mp4").exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{folder}: {COUNT} of {COUNT} frames fused")
    assert "  segments: 4 recorded, 0.0 MB in the folder" in lines
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["output"] == str(folder)
    assert report["recorded"] == {
        "folder": str(folder),
        "segments": 4,
        "deleted": 0,
        "held_bytes": sum(path.stat().st_size for path in segments),
    }


def test_record_keeps_the_other_settings_of_a_configured_recording(pipeline: Path, tmp_path: Path) -> None:
    text = pipeline.read_text()
    start, end = text.index("encoding:"), text.index("report:")
    recording = "encoding: {kind: segments, folder: elsewhere, segment_s: 2, min_free_mb: 0, container: mkv}\n"
    pipeline.write_text(text[:start] + recording + text[end:])
    assert main(["run", str(pipeline), "--record", str(tmp_path / "rec")]) == 0
    segments = sorted((tmp_path / "rec").iterdir())
    assert [(path.suffix, frames_in(path)) for path in segments] == [(".mkv", 24), (".mkv", 16)]


def test_a_folder_that_cannot_be_recorded_into_is_told_in_one_line(
    pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(pipeline), "--record", str(tmp_path / "missing" / "rec")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"lumabraid: error: output folder {tmp_path / 'missing'} does not exist; create it first"
    ]


def test_a_recording_that_stands_still_for_want_of_space_is_in_the_account(
    pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["--set", "encoding.min_free_mb=1000000000000"]
    assert main(["run", str(pipeline), "--record", str(tmp_path / "rec"), *settings]) == 0
    told = capsys.readouterr()
    assert told.err.count("NOT RECORDING") == 1
    assert f"  dropped in encoding: {COUNT} (not recorded)" in told.out
    assert list((tmp_path / "rec").iterdir()) == []
