"""`lumabraid doctor --camera`: what it finds out about a source, and what it advises."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import camera_trial
from pipeline.cli import main
from pipeline.config_file import Settings
from tests.pipeline.clips import write_clip

RATE = 25


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_trial, "_WATCH_S", 1.8)
    monkeypatch.setattr(camera_trial, "_STEER_S", 4.0)


def clip(path: Path, *, alternating: bool) -> str:
    """Two seconds of a still scene."""
    return str(write_clip(path, rate=RATE, count=2 * RATE, alternating=alternating))


@pytest.fixture
def room(tmp_path: Path) -> str:
    rng = np.random.default_rng(2)
    radiance = np.exp(cv2.GaussianBlur(rng.normal(0, 12, (128, 256, 3)).astype(np.float32), (0, 0), 4))
    path = tmp_path / "room.hdr"
    cv2.imwrite(str(path), radiance)
    return str(path)


def simulated(monkeypatch: pytest.MonkeyPatch, room: str, **settings: object) -> str:
    """A simulated camera with these settings, by its name on the command line."""

    def capture_settings(_: str) -> Settings:
        size = {"width": 96, "height": 64, "pan_deg_per_s": 0, "shake_deg": 0, "objects": 0}
        return {"kind": "simulated", "map": room, "seconds": None, "exposure": {}, **size, **settings}

    monkeypatch.setattr(camera_trial, "capture_settings", capture_settings)
    return f"simulated:{room}"


def told(
    source: str, capsys: pytest.CaptureFixture[str], *, exit_code: int = 0
) -> tuple[dict[str, tuple[str, str]], str]:
    """What was found by name, as (verdict, detail), and the advice."""
    assert main(["doctor", "--camera", source]) == exit_code
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "camera"
    found = {line[2:18].strip(): (line[19:22].strip(), line[24:]) for line in lines if line.startswith("  ")}
    return found, "".join(line for line in lines if not line.startswith("  "))


def test_a_source_that_alternates_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = clip(tmp_path / "clip.mp4", alternating=True)
    found, advice = told(source, capsys)
    assert found["opens"] == ("yes", "64x48, 8 bit")
    verdict, frames = found["frames"]
    assert verdict == "yes"
    assert "25 as it says" in frames
    verdict, alternation = found["alternates"]
    assert verdict == "yes"
    assert "stops apart" in alternation
    assert "obeys" not in found
    assert advice == f"Ready: lumabraid live --source {source}"


def test_a_source_that_cannot_be_steered_and_does_not_alternate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, advice = told(clip(tmp_path / "clip.mp4", alternating=False), capsys)
    assert found["alternates"][0] == "no"
    assert "obeys" not in found
    assert advice.startswith("Its exposures cannot be set from here: set it to alternate where it is configured")


def test_a_camera_that_obeys_two_frames_later(
    room: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = simulated(monkeypatch, room, control_delay_frames=2)
    found, advice = told(source, capsys)
    assert found["alternates"][0] == "no"
    verdict, seen = found["obeys"]
    assert verdict == "yes"
    assert seen.startswith("2 frames later; 1/")
    assert "stops apart" in seen
    assert advice == f"Ready: lumabraid live --source {source}"


def test_a_camera_that_ignores_commands(
    room: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, advice = told(simulated(monkeypatch, room, obeys=False), capsys)
    assert found["obeys"][0] == "no"
    assert "the camera ignores exposure commands" in found["obeys"][1]
    assert advice.startswith("Set the camera to alternate with its maker's tool")


def test_advice_to_copy_is_quoted_and_tells_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = clip(tmp_path / "my clip.mp4", alternating=True)
    assert told(source, capsys)[1] == f"Ready: lumabraid live --source '{source}'"
    advice = camera_trial._advice("rtsp://me:secret@camera/x", alternates=True, obeys=False, steerable=False)
    assert advice.startswith("Ready: lumabraid live --source rtsp://camera/x (with the address in full")
    assert "secret@" not in advice


def test_a_source_that_cannot_be_opened_fails_the_trial(capsys: pytest.CaptureFixture[str]) -> None:
    found, advice = told("rtsp://me:secret@127.0.0.1:1/x", capsys, exit_code=1)
    assert list(found) == ["opens"]
    verdict, reason = found["opens"]
    assert verdict == "no"
    assert reason.startswith("rtsp://127.0.0.1:1/x")
    assert "secret" not in reason
    assert advice == ""


def test_a_source_that_gives_no_picture_fails_the_trial(
    room: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.capture.simulated.SimulatedSource.read", lambda _: None)
    found, advice = told(simulated(monkeypatch, room), capsys, exit_code=1)
    assert found["frames"] == ("no", "none in 1.8 s")
    assert advice == ""
