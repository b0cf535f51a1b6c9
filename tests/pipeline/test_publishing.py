"""Publishing as a person uses it: `--publish` and `replay`."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import lumabraid
import numpy as np
import pytest

from pipeline.cli import main
from stages.capture.file import FileSource
from stages.frame import Frame
from tests.pipeline.clips import HEIGHT, write_clip
from tests.pipeline.messages import last_error
from tests.pipeline.streams import PATIENCE_S, beside

COUNT = 24
NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of alternating exposures."""
    return write_clip(tmp_path / "clip.mp4", rate=COUNT, count=COUNT)


def read_all(address: str, seen: list[lumabraid.Frame], topic: str = "fused/yuv420p") -> None:
    with lumabraid.Subscriber(address, topic=topic, policy="every", timeout_s=PATIENCE_S, stop_at_end=True) as frames:
        seen.extend(frames)


def test_a_published_run_needs_no_output_file(
    clip: Path, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert main(["video", str(clip), "--publish", address, *NO_FUSION, "--report", str(report)]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"lumabraid: publishing at {address}: fused/yuv420p, fused/bgr8, fused/jpeg")
    assert captured.out.startswith(f"{COUNT} of {COUNT} frames fused")
    assert "published: nothing, for nobody subscribed" in captured.out
    encodings = ("yuv420p", "bgr8", "jpeg", "h264", "h265")
    pictures = [f"{picture}/{encoding}" for picture in ("fused", "under", "over") for encoding in encodings]
    assert json.loads(report.read_text())["published"] == dict.fromkeys([*pictures, "confidence/gray8"], 0)


@pytest.fixture
def at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read like a camera."""
    read_at_once = FileSource.read

    def read_like_a_camera(source: FileSource) -> Frame | None:
        time.sleep(0.04)
        return read_at_once(source)

    monkeypatch.setattr(FileSource, "read", read_like_a_camera)


@pytest.mark.usefixtures("at_its_own_pace")
def test_a_run_publishes_what_it_fuses_from_too(clip: Path, address: str) -> None:
    seen: dict[str, list[lumabraid.Frame]] = {"under/yuv420p": [], "over/jpeg": [], "confidence/gray8": []}
    with ExitStack() as stack:
        for topic, frames in seen.items():
            stack.enter_context(beside(partial(read_all, address, frames, topic)))
        assert main(["video", str(clip), "--publish", address, *NO_FUSION]) == 0
    under, over, trust = ({frame.header.index: frame for frame in frames} for frames in seen.values())
    common = under.keys() & over.keys() & trust.keys()
    assert common
    for index in common:
        assert under[index].header.sources == trust[index].header.sources
        assert bytes(over[index].data[:2]) == b"\xff\xd8"
        assert trust[index].gray.min() == 255
        assert trust[index].header.confidence == under[index].header.confidence == 1.0
    brightness = {frame.luma.mean() for frame in under.values()}
    assert max(brightness) - min(brightness) < 5  # all of them are the short exposure, whichever frame they are for


@pytest.mark.usefixtures("at_its_own_pace")
def test_a_run_writes_its_file_and_publishes_the_same_frames(clip: Path, address: str, tmp_path: Path) -> None:
    seen: list[lumabraid.Frame] = []
    output = tmp_path / "fused.mkv"
    command = ["video", str(clip), "-o", str(output), "--codec", "ffv1", "--publish", address, *NO_FUSION]
    with beside(lambda: read_all(address, seen)):
        assert main(command) == 0
    with av.open(str(output)) as container:
        written = [frame.to_ndarray()[:HEIGHT] for frame in container.decode(video=0)]
    assert len(written) == COUNT
    assert seen
    for frame in seen:
        assert np.array_equal(frame.luma, written[frame.header.index])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--publish", "tcp://*:5555"], "publishing.address 'tcp://*:5555' can be reached from other machines: give"),
        (["--publish", "here"], "publishing.address must be tcp://HOST:PORT or ipc://PATH, got 'here'"),
        (
            ["--publish", "ipc://x", "--keys", "nowhere"],
            "publishing.keys: cannot read key file nowhere/pub",
        ),
        (["--insecure"], "--keys and --insecure need --publish."),
        (["-o", "unmade.mp4", "--set", "publishing.crf=30"], "--set publishing.crf: there is no publishing to change;"),
        ([], "Missing option '-o' / '--output'."),
    ],
)
def test_a_mistake_in_publishing_is_one_line(
    clip: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["video", str(clip), *options, *NO_FUSION]) == 2
    assert last_error(capsys).startswith(said)


def test_replay_keeps_the_pixels_and_the_pace(clip: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[lumabraid.Frame] = []

    with beside(lambda: read_all(address, seen)):
        assert main(["replay", str(clip), "--publish", address]) == 0
    assert f"{COUNT} frames played" in capsys.readouterr().out
    with av.open(str(clip)) as container:
        played = [frame.to_ndarray()[:HEIGHT] for frame in container.decode(video=0)]
    assert len(seen) > COUNT // 2
    for frame in seen:
        assert np.array_equal(frame.luma, played[frame.header.index])
    first, last = seen[0].header, seen[-1].header
    media_s = float((last.pts - first.pts) * Fraction(*first.time_base))
    assert (last.published_ns - first.published_ns) / 1e9 > media_s / 2


def test_replay_says_that_it_publishes_only_once_it_can(
    clip: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "nofile.mp4", "--publish", address]) == 2
    assert capsys.readouterr().err == "lumabraid: error: nofile.mp4: no such file or directory; check the path\n"
    assert main(["replay", str(clip), "--publish", address]) == 0
    assert capsys.readouterr().err == f"{clip}: publishing at {address}\n"


def test_replay_keeps_to_this_machine_too(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(clip), "--publish", "tcp://*:5555"]) == 2
    assert "can be reached from other machines" in last_error(capsys)


def test_a_pipeline_publishes_behind_its_keys(tmp_path: Path, clip: Path, address: str) -> None:
    keys = tmp_path / "keys"
    assert main(["keys", "new", str(keys)]) == 0
    assert main(["video", str(clip), "--publish", address, "--keys", str(keys), *NO_FUSION]) == 0


def test_stats_are_json_lines_and_nothing_else(clip: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["video", str(clip), "--publish", address, *NO_FUSION, "--stats"]) == 0
    account = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (account["state"], account["captured"], account["fused"]) == ("complete", COUNT, COUNT)
    assert set(account["stages"]) == {"capture", "pairing", "alignment", "fusion", "publishing", "encoding"}


def test_metrics_are_served_while_it_runs(clip: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    seen: list[str] = []
    read_at_once = FileSource.read

    def read_and_look(source: FileSource) -> Frame | None:
        frame = read_at_once(source)
        if frame is None:
            seen.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S).read().decode())
        return frame

    monkeypatch.setattr(FileSource, "read", read_and_look)
    metrics = ["--set", f"metrics=127.0.0.1:{port}"]
    assert main(["video", str(clip), "--publish", address, *NO_FUSION, *metrics]) == 0
    lines = seen[0].splitlines()
    assert f"lumabraid_captured_frames_total {COUNT}.0" in lines
    assert 'lumabraid_published_messages_total{topic="fused/yuv420p"} 0.0' in lines
    assert any(line.startswith('lumabraid_stage_latency_seconds{quantile="0.99",stage="fusion"}') for line in lines)
    assert any(line.startswith('lumabraid_queue_depth{stage="fusion"}') for line in lines)
    assert main(["video", str(clip), "--publish", address, *NO_FUSION, *metrics]) == 0  # the port is free again


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
