"""`--hardware`: one word for what decodes and what encodes video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.cli import main
from pipeline.config import PipelineConfig
from stages.capture.hardware import Nvdec
from stages.encoding import hardware
from tests.pipeline.clips import write_clip

NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", rate=25, count=8)


def packets(path: Path) -> list[tuple[int | None, bool]]:
    """When each shows, and whether it is a key frame."""
    with av.open(str(path)) as container:
        return [(packet.pts, packet.is_keyframe) for packet in container.demux(video=0)]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[PipelineConfig]:
    """What would be run."""
    configs: list[PipelineConfig] = []

    def execute(config: PipelineConfig, **_: Any) -> None:
        configs.append(config)

    monkeypatch.setattr("pipeline.execute.execute", execute)
    return configs


def test_without_a_gpu_a_video_costs_two_lines_more(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Nvdec, "refusal", lambda self: "Cannot load libcuda.so.1")
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: "Cannot load libcuda.so.1")
    for name, choice in (("auto.mp4", ["--hardware", "auto"]), ("none.mp4", [])):
        assert main(["video", str(clip), "-o", str(tmp_path / name), *choice, *NO_FUSION]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lumabraid: ")]
    assert told == [
        f"lumabraid: {clip}: decoding in software, not by NVDEC: Cannot load libcuda.so.1",
        "lumabraid: auto.mp4: encoding in software (libx264), not by NVENC: Cannot load libcuda.so.1",
    ]
    # Not byte for byte: x264 does not encode pictures as small as these the same way every time.
    assert packets(tmp_path / "auto.mp4") == packets(tmp_path / "none.mp4")


def test_the_option_sets_both_sections_of_a_video(clip: Path, configured: list[PipelineConfig]) -> None:
    assert main(["video", str(clip), "-o", "out.mp4", "--hardware", "auto"]) == 0
    assert main(["video", str(clip), "-o", "out.mp4"]) == 0
    assert main(["video", str(clip), "-o", "out.mp4", "--hardware", "auto", "--set", "capture.hardware=none"]) == 0
    assert [(config.capture.hardware, config.encoding.hardware) for config in configured] == [
        ("auto", "auto"),
        ("none", "none"),
        ("none", "auto"),
    ]


@pytest.mark.parametrize("source", ["rtsp://camera/stream", "clip.mp4"])
def test_it_sets_both_sections_of_a_live_run(
    clip: Path, monkeypatch: pytest.MonkeyPatch, configured: list[PipelineConfig], source: str
) -> None:
    monkeypatch.chdir(clip.parent)
    assert main(["live", "--source", source, "--record", "rec", "--hardware", "auto"]) == 0
    [config] = configured
    assert (config.capture.hardware, config.encoding.hardware) == ("auto", "auto")


def test_what_neither_decodes_nor_encodes_video_is_left_alone(tmp_path: Path, configured: list[PipelineConfig]) -> None:
    assert main(["video", str(tmp_path), "-o", str(tmp_path / "fused"), "--hardware", "auto"]) == 0
    assert main(["live", "--source", "0", "--hardware", "auto"]) == 0
    assert [(config.capture.kind, config.encoding.kind) for config in configured] == [
        ("pictures", "pictures"),
        ("camera", "none"),
    ]


def test_another_word_is_refused(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["video", str(clip), "-o", "out.mp4", "--hardware", "cuda"]) == 2
    assert "'cuda' is not one of 'none', 'auto'" in capsys.readouterr().err
