"""Publishing as a person uses it: `--publish`, `subscribe`, `replay`, `keys`."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
from tests.pipeline.clips import HEIGHT, WIDTH, write_clip

COUNT = 24
PATIENCE_S = 20.0
NO_FUSION = ["--set", "fusion.kind=passthrough", "--set", "alignment.kind=none"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of alternating exposures."""
    return write_clip(tmp_path / "clip.mp4", rate=COUNT, count=COUNT)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/fused"


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Run something in another thread while the block runs; its error is the test's."""
    errors: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert errors == []


def feed(
    address: str, *, frames: int, keys: Path | None = None, ended: bool = True, smaller_from: int | None = None
) -> Callable[[], None]:
    """Publishes once somebody reads; from a frame on in half the size."""

    def publish() -> None:
        secret = None if keys is None else keys / "publisher.key_secret"
        readers = None if keys is None else keys / "readers"
        with lumabraid.Publisher(address, keys=secret, allowed_keys=readers) as publisher:
            assert publisher.wait_for_reader("fused/yuv420p", PATIENCE_S)
            for index in range(frames):
                part = 1 if smaller_from is None or index < smaller_from else 2
                height, width = HEIGHT // part, WIDTH // part
                header = lumabraid.Header(
                    index=index,
                    pts=index,
                    time_base=(1, 25),
                    encoding="yuv420p",
                    width=width,
                    height=height,
                    color=lumabraid.Color(matrix=1, range="limited", primaries=1, transfer=1),
                )
                chroma = height // 2, width // 2
                planes = [np.full(size, 40 + index, np.uint8) for size in ((height, width), chroma, chroma)]
                publisher.publish("fused", header, planes)
                pause.wait(0.02)
            publisher.publish_status(topics=["fused/yuv420p"], ended=ended)

    pause = threading.Event()
    return publish


def read_all(address: str, seen: list[lumabraid.Frame], topic: str = "fused/yuv420p") -> None:
    with lumabraid.Subscriber(address, topic=topic, policy="every", timeout_s=PATIENCE_S, stop_at_end=True) as frames:
        seen.extend(frames)


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("lumabraid: error: ")
    return message.removeprefix("lumabraid: error: ")


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
    assert error_line(capsys).startswith(said)


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
    assert "can be reached from other machines" in error_line(capsys)


def test_subscribe_tells_what_arrived(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with beside(feed(address, frames=10)):
        assert main(["subscribe", address, "--count", "3"]) == 0
    assert capsys.readouterr().out.startswith("3 frames, ")


def test_subscribe_fails_when_the_stream_ends_before_a_frame_came(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish() -> None:
        with lumabraid.Publisher(address) as publisher:
            assert publisher.wait_for_reader("fused/jpeg", PATIENCE_S)
            publisher.publish_status(topics=["fused/yuv420p"], ended=True, fused=3)

    with beside(publish):
        assert main(["subscribe", address, "--topic", "fused/jpeg", "--count", "5"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"lumabraid: error: no frame on fused/jpeg from {address} before the stream ended: "
        "the publisher offers fused/yuv420p\n"
    )


def test_subscribe_is_content_with_fewer_frames_than_asked_for_when_the_stream_ends(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with beside(feed(address, frames=3)):
        assert main(["subscribe", address, "--count", "50"]) == 0
    assert int(capsys.readouterr().out.split()[0]) in (1, 2, 3)


def test_subscribe_in_json_lines(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with beside(feed(address, frames=10)):
        assert main(["subscribe", address, "--stats"]) == 0
    account = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert account["frames"] + account["skipped"] + account["lost"] == 10
    assert account["age_p50_ms"] is None  # this publisher does not say when its frames were captured


def test_subscribe_saves_a_video(address: str, tmp_path: Path) -> None:
    output = tmp_path / "seen.mkv"
    with beside(feed(address, frames=10)):
        assert main(["subscribe", address, "--save", str(output)]) == 0
    with av.open(str(output)) as container:
        brightness = [float(frame.to_ndarray()[:HEIGHT].mean()) for frame in container.decode(video=0)]
    assert len(brightness) == 10
    assert np.abs(np.array(brightness) - np.arange(40, 50)).max() < 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_is_saved_does_not_end_with_the_statistics(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "seen.mkv"
    with Path("/dev/full").open("w") as full, beside(feed(address, frames=10)):
        monkeypatch.setattr("sys.stdout", full)
        assert main(["subscribe", address, "--save", str(output), "--stats"]) == 0
    assert capsys.readouterr().err.endswith("stdout cannot be written: No space left on device\n")
    with av.open(str(output)) as container:
        assert len(list(container.decode(video=0))) == 10


def test_what_is_saved_ends_where_the_size_changes(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "seen.mkv"
    with beside(feed(address, frames=10, smaller_from=6)):
        assert main(["subscribe", address, "--save", str(output)]) == 0
    assert "32x24, 8 bit from here on" in capsys.readouterr().err
    with av.open(str(output)) as container:
        assert len(list(container.decode(video=0))) == 6


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--timeout", "0.1"], 1, "no frame on fused/yuv420p from"),
        (["--save", "seen.txt"], 2, "encoding.output 'seen.txt' must end in .mp4"),
        (["--save", "seen.mp4", "--topic", "fused/jpeg"], 2, "--save needs a topic of raw YUV"),
        (["--key", "mine.key_secret"], 2, "--key needs --publisher-key."),
        (["--publisher-key", "nowhere.key"], 2, "cannot read key file nowhere.key"),
    ],
)
def test_a_mistake_in_subscribing_is_one_line(
    address: str, options: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["subscribe", address, *options]) == code
    assert error_line(capsys).startswith(said)


def test_keys_are_made_once_and_let_their_reader_in(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys"
    assert main(["keys", "new", str(keys)]) == 0
    assert main(["keys", "new", str(keys), "--reader", "robot"]) == 0
    assert sorted(path.name for path in keys.rglob("*.key")) == ["publisher.key", "reader.key", "robot.key"]
    assert (keys / "publisher.key_secret").stat().st_mode & 0o077 == 0
    before = (keys / "publisher.key_secret").read_text()
    assert main(["keys", "new", str(keys), "--reader", "robot"]) == 2
    assert "robot.key: it exists, and keys are never overwritten" in error_line(capsys)
    assert (keys / "publisher.key_secret").read_text() == before
    mine = ["--publisher-key", str(keys / "publisher.key"), "--key", str(keys / "readers" / "robot.key_secret")]
    with beside(feed(address, frames=10, keys=keys)):
        assert main(["subscribe", address, "--count", "1", *mine]) == 0


def test_keys_that_are_of_no_use_are_not_called_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, other = tmp_path / "keys", tmp_path / "other"
    for folder in (keys, other):
        assert main(["keys", "new", str(folder)]) == 0
    public, secret = keys / "publisher.key", keys / "publisher.key_secret"
    whole = public.read_text()
    capsys.readouterr()

    def refused() -> str:
        assert main(["keys", "new", str(keys), "--reader", "robot"]) == 2
        assert not (keys / "readers" / "robot.key").exists()
        return error_line(capsys)

    public.unlink()
    assert "publisher.key: there is no such file; put the pair back, or delete both files" in refused()
    public.write_text((other / "publisher.key").read_text())
    assert "publisher.key is not the public key of" in refused()
    public.write_text(whole)
    secret.write_text("")
    assert "publisher.key_secret is not a key file" in refused()


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


def test_ctrl_c_completes_what_subscribe_saves(address: str, tmp_path: Path) -> None:
    output = tmp_path / "seen.mkv"

    def publish_and_interrupt() -> None:
        feed(address, frames=10, ended=False)()
        os.kill(os.getpid(), signal.SIGINT)

    with beside(publish_and_interrupt):
        assert main(["subscribe", address, "--save", str(output), "--timeout", str(PATIENCE_S)]) == 0
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5
