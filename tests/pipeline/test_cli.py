"""The command line: what a person types, what they are told, and the exit code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli import COMMANDS, main
from pipeline.interrupt import INTERRUPTED
from stages.capture.simulated_config import SimulatedConfig
from tests.pipeline.messages import only_error

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "import sys; from pipeline.cli import main; sys.exit(main())"


def lumabraid(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own, as a shell would."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; from pipeline.cli import main; main(['--help'])\n"
        "heavy = {'torch', 'av', 'cv2', 'numpy', 'pydantic', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for name, what in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert what in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: lumabraid {name}" in text
    assert "Example" in text


def test_simulate_tells_the_camera_s_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    main(["simulate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    camera = SimulatedConfig(map="room.hdr")
    assert f"the long exposure. [default: {camera.stops:g}]" in text
    assert f"Length of the clip. [default: {camera.seconds:g}]" in text
    assert f"Frames per second. [default: {camera.frame_rate:g}]" in text
    assert f"[default: {camera.width}x{camera.height}]" in text


def test_alone_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Usage: lumabraid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vidoe"], "No such command 'vidoe'. Did you mean 'video'? See: lumabraid --help"),
        (["video", "clip.mp4"], "Missing option '-o' / '--output'. See: lumabraid video --help"),
        (["video", "clip.mp4", "-o", "x.mp4", "--mode", "slow"], "Invalid value for '--mode': 'slow' is not one of"),
        (["video", "--outptu", "x"], "No such option '--outptu'"),
        (["models", "x"], "Got unexpected extra argument (x). See: lumabraid models --help"),
        (["train", ".", "-o", "x", "--learning-rate", "-1"], "Invalid value for '--learning-rate': -1.0 is not in"),
        (["simulate", "room.hdr", "-o", "x.mp4", "--size", "big"], "Invalid value for '--size': 'big' is not a size"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert only_error(capsys).startswith(said)


@pytest.mark.parametrize(
    "arguments",
    [["video", "clip.mp4"], ["fuse", "dark", "bright"], ["simulate", "room.hdr"], ["demo"], ["train", "maps"]],
)
def test_standard_output_is_refused_as_an_output(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "-o", "-"]) == 2
    assert "'--output': - is standard output, where nothing can be written to; name a file or" in only_error(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `doctor` raises something nobody foresaw."""

    @click.command()
    def command() -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("pipeline.commands.doctor.command", command)


@pytest.mark.usefixtures("broken")
def test_an_unexpected_error_is_one_line_and_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    assert only_error(capsys).startswith("unexpected RuntimeError: two lines; `lumabraid --debug ...`")
    assert main(["--debug", "doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_stages_log_comes_in_lines_like_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        logging.getLogger("stages.encoding.video").warning("%d frames are in %s", 3, "fused.partial.mp4")

    monkeypatch.setattr("pipeline.commands.doctor.command", command)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().err == "lumabraid: warning: 3 frames are in fused.partial.mp4\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "config", "schema"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.parametrize("closed", [1, 2])
def test_output_that_is_closed_is_no_error(closed: int) -> None:
    shell = ["sh", "-c", f'"$0" "$@" {closed}>&-', sys.executable, "-c", PROGRAM, "config", "list"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_config_list_show_check_and_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "list"]) == 0
    assert "offline          A recorded clip of alternating exposures" in capsys.readouterr().out
    assert main(["config", "show", "offline", "--set", "channels.capacity=7"]) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["channels"] == {"capacity": 7, "policy": "block"}
    mine = tmp_path / "mine.yaml"
    mine.write_text(shown, encoding="utf-8")
    assert main(["config", "check", str(mine)]) == 0
    assert capsys.readouterr().out == f"{mine}: valid\n"
    assert main(["config", "check", str(mine), "--set", "fusion.mod=full"]) == 2
    assert only_error(capsys) == f"{mine}: fusion.mod: unknown setting; did you mean 'mode'?"
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "lumabraid pipeline"


def test_doctor_tries_everything_and_always_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "software",
        "resources",
        "devices",
        "codecs",
        "models",
        "cameras",
    ]
    assert any(line.split()[:2] == ["cpu", "works"] for line in lines)
    assert any(line.split()[:2] == ["h264", "works"] for line in lines)
    tried = {" ".join(line.split()[:2]) for line in lines}
    assert {"h264 nvdec", "h264 nvenc", "h265 nvdec", "h265 nvenc", "av1 nvenc"} <= tried
    assert all("works " in line or "not available " in line for line in lines if line.startswith(" "))


def test_doctor_goes_on_after_what_breaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise OSError("no such thing")

    monkeypatch.setattr("pipeline.doctor._devices", broken)
    monkeypatch.setattr("pipeline.doctor._codecs", lambda: iter(()))
    assert main(["doctor"]) == 0
    assert "not available  OSError: no such thing" in capsys.readouterr().out


def test_models_are_listed_with_their_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("lcndr\n")
    assert "parameters" in listed


def test_the_exit_code_after_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.commands.doctor.command", command)
    assert main(["doctor"]) == INTERRUPTED == 130
    assert capsys.readouterr().err.strip() == "lumabraid: interrupted"
