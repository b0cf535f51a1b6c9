"""`lumabraid live`: what its options mean, and whole runs of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.config import PipelineConfig
from stages.capture.device import CameraSource
from stages.capture.simulated import SimulatedSource
from stages.errors import SourceError
from stages.frame import Frame, StreamInfo
from tests.pipeline.messages import last_error

NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]
PATIENCE_S = 30.0


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A radiance map of a room with a bright side."""
    rng = np.random.default_rng(2)
    radiance = np.exp(cv2.GaussianBlur(rng.normal(0, 12, (128, 256, 3)).astype(np.float32), (0, 0), 4))
    path = tmp_path / "room.hdr"
    cv2.imwrite(str(path), radiance)
    return path


@pytest.fixture
def camera(room: Path) -> list[str]:
    """Options of a small simulated camera."""
    sizes = ["width=96", "height=64", "pan_deg_per_s=0", "shake_deg=0", "objects=0"]
    return ["--source", f"simulated:{room}", *(word for size in sizes for word in ("--set", f"capture.{size}"))]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PipelineConfig]:
    """Runs the command up to the configuration it asks for."""
    made: list[PipelineConfig] = []
    monkeypatch.setattr("pipeline.execute.execute", lambda config, **_: made.append(config))

    def ask(*arguments: str) -> PipelineConfig:
        assert main(["live", *arguments]) == 0
        return made.pop()

    return ask


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_alone_it_takes_the_first_camera_and_shows_a_page(asked: Callable[..., PipelineConfig]) -> None:
    config = asked()
    assert (config.capture.kind, config.capture.device) == ("camera", 0)
    assert config.preview.address == "127.0.0.1:8080"
    assert (config.window, config.publishing, config.encoding.kind) == (None, None, "none")
    assert (config.channels.policy, config.channels.capacity, config.fusion.mode) == ("latest", 1, "stream")


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (["--preview"], "127.0.0.1:8080"),
        (["--preview", "9000"], "9000"),
        (["--preview", "*:9000", "--window"], "*:9000"),
        (["--publish", "ipc:///tmp/fused"], None),
        (["--window"], None),
    ],
)
def test_whoever_asks_for_an_output_gets_that_and_no_other(
    asked: Callable[..., PipelineConfig], options: list[str], address: str | None
) -> None:
    config = asked(*options)
    assert (None if config.preview is None else config.preview.address) == address
    assert (config.window is not None) == ("--window" in options)
    assert (config.publishing is not None) == ("--publish" in options)


def test_exposures_may_be_asked_for_and_every_setting_changed(asked: Callable[..., PipelineConfig]) -> None:
    config = asked("--stops", "4", "--bias", "-0.5", "--set", "capture.exposure.mains_hz=50", "--mode", "full")
    exposure = config.capture.exposure
    assert (exposure.stops, exposure.bias_stops, exposure.mains_hz) == (4.0, -0.5, 50)
    assert config.fusion.mode == "full"


def test_whoever_has_no_camera_is_told_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: CameraSource) -> StreamInfo:
        raise SourceError("camera 0 cannot be opened")

    monkeypatch.setattr(CameraSource, "open", refuse)
    assert main(["live", "--preview", "0"]) == 2
    assert last_error(capsys) == "camera 0 cannot be opened; --source names another, see `lumabraid live --help`"
    assert main(["live", "--source", "0", "--preview", "0"]) == 2
    assert last_error(capsys) == "camera 0 cannot be opened"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "nowhere.mp4"], "no source 'nowhere.mp4': neither a camera's number, a device, a URL"),
        (["--source", "rtsp://me:secret@host/x", "--stops", "3"], "--stops and --bias need a camera"),
        (["--source", "0", "--source", "1"], "One --source at a time, got 2."),
        (["--stops", "30"], "capture.exposure.stops must lie between"),
        (["--preview", "here"], "preview.address must be HOST:PORT, or PORT for this machine alone, got 'here'"),
        (["--keys", "keys"], "--keys and --insecure need --publish."),
    ],
)
def test_a_mistake_is_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", *options]) == 2
    line = last_error(capsys)
    assert line.startswith(said)
    assert "secret" not in line


def test_a_camera_s_exposures_are_made_to_alternate_and_the_page_tells_of_it(
    camera: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port, report = free_port(), tmp_path / "report.json"
    told: dict[str, Any] = {}

    def look() -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s and not (told and told["pipeline"]["fused"] > 5):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=1) as answer:
                    told.update(json.load(answer))
            except OSError:
                time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    viewer = threading.Thread(target=look, daemon=True)
    viewer.start()
    options = ["--preview", str(port), "--report", str(report), *NO_FUSION]
    assert main(["live", *camera, *options]) == 0
    viewer.join(PATIENCE_S)
    assert told["pipeline"]["recent"]["fused_fps"] > 0
    assert told["bracket"]["control_delay_frames"] == 0
    status = json.loads(report.read_text(encoding="utf-8"))
    assert status["state"] == "stopped"
    assert status["fused"] > 5
    assert status["in_flight"] == 0
    assert status["exposures"]["ratio_stops"]["median"] > 1
    assert set(status["recent"]) == {"captured_fps", "fused_fps", "latency"}
    captured = capsys.readouterr()
    assert f"preview at http://127.0.0.1:{port}/" in captured.err
    assert "frames fused" in captured.out


def test_it_records_in_segments(camera: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "footage"
    short = ["--set", "capture.seconds=4", "--set", "capture.realtime=false", "--set", "channels.policy=block"]
    assert main(["live", *camera, *short, "--record", str(folder), "--set", "encoding.min_free_mb=0", *NO_FUSION]) == 0
    (segment,) = folder.glob("*.mp4")
    assert segment.stat().st_size > 0
    assert "segments: 1 recorded" in capsys.readouterr().out


def test_a_camera_that_neither_obeys_nor_alternates_is_told_so(
    camera: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    stubborn = ["--set", "capture.obeys=false", "--set", "capture.realtime=false", "--set", "capture.objects=2"]
    assert main(["live", *camera, *stubborn, "--preview", "0", *NO_FUSION]) == 2
    line = last_error(capsys)
    assert "lumabraid needs alternating short and long exposures" in line
    assert "; `lumabraid doctor --camera simulated:" in line


@pytest.mark.parametrize(("frames", "said"), [(0, "first frame"), (1, "first pair"), (3, "first pair: ")])
def test_ctrl_c_before_anything_could_be_fused_is_no_mistake(
    camera: list[str], frames: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, interrupted = SimulatedSource.read, threading.Event()
    given: list[Frame] = []

    def read_some(source: SimulatedSource) -> Frame | None:
        if len(given) == frames:
            os.kill(os.getpid(), signal.SIGINT)
            interrupted.wait(PATIENCE_S)
            return None
        frame = read(source)
        assert frame is not None
        given.append(frame)
        return frame

    monkeypatch.setattr(SimulatedSource, "read", read_some)
    monkeypatch.setattr(SimulatedSource, "interrupt", lambda _: interrupted.set())
    has_an_end = ["--set", "capture.seconds=9", "--set", "capture.exposure.alternate=never"]
    assert main(["live", *camera, *has_an_end, "--preview", "0", *NO_FUSION]) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"lumabraid: stopped before the {said}")


def test_closing_the_window_ends_the_run_well(
    camera: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Window:
        def __init__(self, config: object) -> None:
            self.frames = 0

        @property
        def closed_by_hand(self) -> bool:
            return self.frames >= 5

        def open(self, info: StreamInfo) -> StreamInfo:
            return info

        def process(self, item: object) -> Iterable[object]:
            self.frames += 1
            yield item

        def flush(self) -> Iterable[object]:
            return ()

        def close(self) -> None:
            return

    from stages.window.desktop import DesktopConfig

    Window.Config = DesktopConfig  # type: ignore[attr-defined]
    monkeypatch.setattr("stages.window.desktop.DesktopWindow", Window)
    assert main(["live", *camera, "--window", *NO_FUSION]) == 0
    captured = capsys.readouterr()
    assert "frames fused" in captured.out
    assert "interrupted" not in captured.err
