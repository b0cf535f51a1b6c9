"""A clip in, a fused clip out: the whole way with the real stages, as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from av.video.stream import VideoStream

from pipeline.cli import main

ROOT = Path(__file__).parent.parent.parent
WIDTH, HEIGHT, COUNT = 96, 64, 12
UNDER, OVER = -2.0, 1.0
NO_FUSION = ["--set", "fusion.kind=passthrough"]
PROGRAM = "import sys; from pipeline.cli import main; sys.exit(main())"


def exposed(stops: float, moment: int) -> npt.NDArray[np.uint8]:
    """BGR, 8 bit: a dim room with a bright window; the camera pans by a pixel a frame."""
    rng = np.random.default_rng(7)
    radiance = cv2.GaussianBlur(rng.gamma(0.6, 0.12, (HEIGHT, WIDTH + 100, 3)).astype(np.float32), (0, 0), 3)
    radiance[8:32, 60:90] *= 30
    view = radiance[:, moment : moment + WIDTH]
    encoded: npt.NDArray[np.float32] = np.clip(view * np.float32(2**stops), 0, 1) ** (1 / 2.2)
    return np.rint(255 * encoded).astype(np.uint8)


def film(path: Path, stops: list[float], *, codec: str = "libx264", pts: list[int] | None = None) -> Path:
    """A clip with a frame for each exposure, in milliseconds if ``pts`` are given."""
    with av.open(str(path.absolute()), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        time_base = Fraction(1, 1000) if pts else Fraction(1, 25)
        stream.codec_context.time_base = time_base
        for index, stop in enumerate(stops):
            frame = av.VideoFrame.from_ndarray(exposed(stop, index), "bgr24")
            frame.pts, frame.time_base = pts[index] if pts else index, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def bracketed(count: int = COUNT) -> list[float]:
    return [OVER if index % 2 else UNDER for index in range(count)]


def times(path: Path) -> list[Fraction]:
    """Seconds at which each frame of a video is shown."""
    with av.open(str(path.absolute())) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [(frame.pts or 0) * stream.time_base for frame in container.decode(stream)]


def names(folder: str = ".") -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def brightness(path: Path) -> list[float]:
    with av.open(str(path.absolute())) as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as a person does."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clip(folder: Path) -> Path:
    return film(folder / "clip.mp4", bracketed())


def test_every_frame_gets_a_fused_one_at_its_time(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["video", "clip.mp4", "-o", "fused.mp4", "--report", "run.json"]) == 0
    assert times(Path("fused.mp4")) == times(clip)
    assert names() == ["clip.mp4", "fused.mp4", "run.json"]
    # The exposures alternate no more.
    assert np.std(brightness(Path("fused.mp4"))) < np.std(brightness(clip)) / 5

    said = capsys.readouterr()
    assert "fused.mp4: 12 of 12 frames fused" in said.out
    assert "6 under, 6 over" in said.out

    report = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert (report["captured"], report["fused"], report["failed"], report["dropped"]) == (12, 12, 0, {})
    assert (report["model"], report["device"], report["output"]) == ("lcndr", report["device"], "fused.mp4")
    assert report["exposures"]["under"] == report["exposures"]["over"] == 6
    assert report["exposures"]["ratio_stops"]["median"] == pytest.approx(3, abs=0.3)
    assert list(report["stages"]) == ["capture", "pairing", "alignment", "fusion", "encoding"]
    assert all(stage["latency"]["p95_ms"] >= 0 for stage in report["stages"].values())
    assert report["fps"] > 0


def test_uneven_times_are_kept(folder: Path) -> None:
    pts = [700, 733, 800, 810, 900, 1000, 1040, 1100, 1200, 1210, 1300, 1500]
    clip = film(folder / "clip.mkv", bracketed(), pts=pts)
    assert main(["video", "clip.mkv", "-o", "fused.mkv", *NO_FUSION]) == 0
    assert times(folder / "fused.mkv") == times(clip) == [Fraction(at, 1000) for at in pts]


@pytest.mark.parametrize(
    "name", ["a clip.mp4", "-clip.mp4", "Überblick.mp4", "50%.mp4", "clip %04d.mp4", "[a] (b).mp4"]
)
def test_any_name_works(folder: Path, name: str) -> None:
    film(folder / name, bracketed())
    assert main(["video", "-o", f"fused {name}", *NO_FUSION, "--", name]) == 0
    assert len(times(folder / f"fused {name}")) == COUNT


def test_pictures_in_and_pictures_out(folder: Path) -> None:
    (folder / "shots").mkdir()
    for index, stops in enumerate(bracketed(6)):
        cv2.imwrite(str(folder / "shots" / f"{index:03d}.png"), exposed(stops, index))
    for source, output in (("shots", "all"), ("shots/%03d.png", "some/%02d.png"), ("shots/*.png", "fused.mp4")):
        assert main(["video", source, "-o", output, *NO_FUSION]) == 0
    assert names("all") == [f"{index:06d}.png" for index in range(6)]
    assert names("some") == [f"{index:02d}.png" for index in range(6)]
    assert len(times(Path("fused.mp4"))) == 6


def test_pictures_are_never_written_over_those_being_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shots").mkdir()
    for index, stops in enumerate(bracketed(6)):
        cv2.imwrite(str(folder / "shots" / f"{index:06d}.png"), exposed(stops, index))
    before = {path.name: path.read_bytes() for path in (folder / "shots").iterdir()}
    for output, said in (("shots/%06d.png", "would overwrite the input"), ("shots", "holds the input pictures")):
        assert main(["video", "shots/*.png", "-o", output, "--set", "encoding.overwrite=true", *NO_FUSION]) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (folder / "shots").iterdir()} == before


def make_bad(kind: str) -> str:
    """A source that cannot be fused; its name."""
    name = f"{kind}.mkv"
    if kind == "text":
        Path(name).write_text("Dear diary", encoding="utf-8")
    elif kind == "empty":
        Path(name).touch()
    elif kind == "audio":
        name = "audio.wav"
        with wave.open(name, "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(8000))
    elif kind == "constant":
        film(Path(name), [0.0] * COUNT)
    elif kind == "three":
        film(Path(name), [(-3.0, -1.0, 1.0)[index % 3] for index in range(COUNT)])
    elif kind == "single":
        film(Path(name), [0.0])
    return name


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "audio", "constant", "three", "single"])
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_fused_is_one_line_and_leaves_nothing(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_bad(kind)
    assert main(["video", source, "-o", "fused.mp4", *NO_FUSION]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("lumabraid: error: ")
    assert source in captured.err
    assert not [name for name in names() if "fused" in name]


@pytest.mark.usefixtures("folder")
def test_what_came_before_the_damage_is_fused_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    clip = film(Path("clip.mkv"), bracketed(40), codec="ffv1")
    Path("cut.mkv").write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    assert main(["video", "cut.mkv", "-o", "fused.mp4", "--report", "run.json", *NO_FUSION]) == 1
    captured = capsys.readouterr()
    report = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert 20 < report["fused"] < 40
    assert report["fused"] == report["captured"] == len(times(Path("fused.mp4")))
    assert f"fused.mp4: {report['fused']} of {report['captured']} frames fused" in captured.out
    assert captured.err.count("\n") == 1
    assert "cut.mkv" in captured.err
    assert captured.err.endswith("bytes are missing at its end; the frames before it are fused and kept\n")
    assert report["error"]["type"] == "DamagedSourceError"


@pytest.mark.usefixtures("folder")
def test_nothing_is_said_to_be_kept_where_too_little_came_before_the_damage(capsys: pytest.CaptureFixture[str]) -> None:
    clip = film(Path("clip.mkv"), bracketed(40), codec="ffv1")
    Path("cut.mkv").write_bytes(clip.read_bytes()[: clip.stat().st_size // 25])
    assert main(["video", "cut.mkv", "-o", "fused.mp4", *NO_FUSION]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("bytes are missing at its end; too little came before it to fuse\n")
    assert names() == ["clip.mkv", "cut.mkv"]


@pytest.mark.usefixtures("folder")
def test_a_name_that_is_not_utf_8_works() -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    film(Path("clip.mp4"), bracketed()).rename(name)
    assert main(["video", name, "-o", f"fused {name}", "--report", "run.json", *NO_FUSION]) == 0
    assert len(times(Path(f"fused {name}"))) == COUNT
    assert json.loads(Path("run.json").read_text(encoding="utf-8"))["output"] == f"fused {name}"


@pytest.mark.usefixtures("folder")
def test_the_report_shows_no_password() -> None:
    assert main(["video", "http://me:secret@127.0.0.1:1/clip.mp4", "-o", "fused.mp4", "--report", "run.json"]) == 2
    assert json.loads(Path("run.json").read_text(encoding="utf-8"))["input"] == "http://127.0.0.1:1/clip.mp4"
    assert "secret" not in Path("run.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("clip")
def test_mistakes_are_found_before_anything_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["-o", "fused.avi"], "encoding.output 'fused.avi' must end in"),
        (["-o", "nowhere/fused.mp4"], "does not exist"),
        (["-o", "clip.mp4"], "would overwrite the input"),
        (["-o", "fused.mp4", "--codec", "h266"], "did you mean 'h265'?"),
        (["-o", "fused.mp4", "--crf", "99"], "must lie in 0 to 51, got 99"),
        (["-o", "fused.mp4", "--model", "nix"], "no model nix"),
        (["-o", "fused.mp4", "--report", "nowhere/run.json"], "does not exist"),
        (["-o", "fused.mp4", "--report", "clip.mp4"], "report clip.mp4 would overwrite clip.mp4"),
        (["-o", "fused.mp4", "--report", "fused.mp4"], "report fused.mp4 would overwrite fused.mp4"),
        (["-o", "fused.mp4", "--set", "report=."], "report . is a folder"),
        (["-o", "fused.mp4", "--set", "fusion.mood=full"], "did you mean 'mode'?"),
    ):
        assert main(["video", "clip.mp4", *arguments]) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.count("\n") == 1
        assert names() == ["clip.mp4"]


@pytest.fixture
def room(folder: Path) -> Path:
    """A small radiance map."""
    rng = np.random.default_rng(3)
    radiance = cv2.GaussianBlur(rng.gamma(0.5, 0.3, (64, 128, 3)).astype(np.float32), (0, 0), 2)
    radiance[20:30, 50:80] *= 40
    path = folder / "room.hdr"
    path.write_bytes(cv2.imencode(".hdr", radiance)[1].tobytes())
    return path


def test_a_simulated_clip_can_be_fused(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--size", "96x64", "--seconds", "0.4", "--fps", "25", "--seed", "5"]
    assert main(["simulate", room.name, "-o", "clip.mp4", *size, "--truth", "truth", "--set", "objects=0"]) == 0
    assert "clip.mp4: 10 frames, 3 stops between under and over" in capsys.readouterr().out
    assert len([name for name in names("truth") if name.endswith(".png")]) == 20
    assert main(["video", "clip.mp4", "-o", "fused.mp4", *NO_FUSION]) == 0
    assert len(times(Path("fused.mp4"))) == 10
    assert main(["simulate", room.name, "-o", "x.mp4", "--set", "object=0"]) == 2
    assert "did you mean 'objects'?" in capsys.readouterr().err


def test_a_pipeline_runs_from_a_file(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text(
        "capture: {kind: simulated, map: room.hdr, width: 96, height: 64, seconds: 0.4}\n"
        "alignment: {kind: none}\n"
        "fusion: {kind: passthrough}\n"
        "encoding: {kind: video, output: fused.mkv, codec: ffv1}\n",
        encoding="utf-8",
    )
    assert main(["run", "mine.yaml"]) == 0
    assert "fused.mkv: 10 of 10 frames fused" in capsys.readouterr().out
    assert len(times(Path("fused.mkv"))) == 10


@contextmanager
def process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process of its own, as a shell starts it."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def wait_for(path: str, started: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + 60
    while not Path(path).exists():
        assert started.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("seconds", "exit_code", "words"),
    [pytest.param("null", 0, "", id="endless"), pytest.param("600", 130, "lumabraid: interrupted\n", id="cut short")],
)
def test_ctrl_c_finishes_what_was_captured(seconds: str, exit_code: int, words: str) -> None:
    settings = {
        "capture": f"{{kind: simulated, map: room.hdr, width: 96, height: 64, seconds: {seconds}, realtime: true}}",
        "fusion": "{kind: passthrough}",
        "encoding": "{output: fused.mkv}",
    }
    Path("endless.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()), encoding="utf-8")
    with process(PROGRAM, "run", "endless.yaml") as started:
        wait_for("fused.partial.mkv", started)
        started.send_signal(signal.SIGINT)
        said, error = started.communicate(timeout=60)
    assert started.returncode == exit_code
    assert error == words
    count = len(times(Path("fused.mkv")))
    assert count > 0
    assert f"fused.mkv: {count} of {count} frames fused" in said


@pytest.mark.usefixtures("clip")
def test_a_second_ctrl_c_leaves_even_where_a_stage_hangs() -> None:
    hanging = (
        "from pathlib import Path; from threading import Event; from stages.fusion.stage import PassthroughFusion\n"
        "def hang(self, item): Path('hangs').touch(); Event().wait()\n"
        "PassthroughFusion.process = hang\n"
    )
    with process(hanging + PROGRAM, "video", "clip.mp4", "-o", "fused.mp4", *NO_FUSION) as started:
        wait_for("hangs", started)
        started.send_signal(signal.SIGINT)
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        said, error = started.communicate(timeout=30)
    assert started.returncode == 130
    assert error == "lumabraid: interrupted\n"
    assert said.startswith("0 of ")
    assert "failed: " in said
    assert names() == ["clip.mp4", "hangs"]
