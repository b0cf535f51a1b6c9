"""Reading a stream as a person does: `subscribe` and `keys`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import av
import lumabraid
import numpy as np
import pytest

from pipeline.cli import main
from tests.pipeline.clips import HEIGHT
from tests.pipeline.messages import last_error
from tests.pipeline.streams import PATIENCE_S, beside, feed


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
    assert last_error(capsys).startswith(said)


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
    assert "robot.key: it exists, and keys are never overwritten" in last_error(capsys)
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
        return last_error(capsys)

    public.unlink()
    assert "publisher.key: there is no such file; put the pair back, or delete both files" in refused()
    public.write_text((other / "publisher.key").read_text())
    assert "publisher.key is not the public key of" in refused()
    public.write_text(whole)
    secret.write_text("")
    assert "publisher.key_secret is not a key file" in refused()


def test_ctrl_c_completes_what_subscribe_saves(address: str, tmp_path: Path) -> None:
    output = tmp_path / "seen.mkv"

    def publish_and_interrupt() -> None:
        feed(address, frames=10, ended=False)()
        os.kill(os.getpid(), signal.SIGINT)

    with beside(publish_and_interrupt):
        assert main(["subscribe", address, "--save", str(output), "--timeout", str(PATIENCE_S)]) == 0
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5
