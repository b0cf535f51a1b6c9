"""Files played as if they were cameras, and names that are safe to show."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from stages.capture.file import FileConfig, FileSource
from stages.capture.locate import display_name
from tests.capture.clips import flat, write_clip


def test_a_file_can_be_played_at_its_own_pace(tmp_path: Path) -> None:
    source = FileSource(FileConfig(input=str(write_clip(tmp_path / "clip.mkv", flat(range(16, 22)))), realtime=True))
    source.open()
    frames = list(iter(source.read, None))
    source.close()
    assert len(frames) == 6
    for before, after in pairwise(frames):
        # 40 ms by the clip's own times; how late a frame is, the machine decides.
        assert after.captured_ns > before.captured_ns
    assert (frames[-1].captured_ns - frames[0].captured_ns) * 1e-9 > 0.15


def test_a_played_file_can_be_interrupted_between_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "slow.mkv", flat([20, 30]), pts=[0, 25 * 60])
    source = FileSource(FileConfig(input=str(clip), realtime=True))
    source.open()
    assert source.read() is not None
    threading.Timer(0.1, source.interrupt).start()
    started_s = time.monotonic()
    assert source.read() is None
    assert source.read() is None
    assert time.monotonic() - started_s < 30
    source.close()


def test_a_loop_goes_on_in_index_and_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", flat([16, 100, 200]), pts=[5, 6, 7])
    source = FileSource(FileConfig(input=str(clip), loop=True))
    info = source.open()
    frames = [source.read() for _ in range(8)]
    source.close()
    kept = [frame for frame in frames if frame is not None]
    assert info.frame_count is None
    assert info.container is None
    assert [frame.index for frame in kept] == list(range(8))
    assert [int(frame.planes.luma[0, 0]) for frame in kept] == [16, 100, 200, 16, 100, 200, 16, 100]
    assert {after.pts - before.pts for before, after in pairwise(kept)} == {kept[1].pts - kept[0].pts}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://viewer:secret@camera:554/live", "rtsp://camera:554/live"),
        ("rtsp://viewer@camera/live", "rtsp://camera/live"),
        ("rtsp://viewer:sec/ret@camera/live", "rtsp://...@camera/live"),
        ("rtsp://viewer:se?cr#et@camera/live", "rtsp://...@camera/live"),
        ("rtsp://viewer:12/secret@camera/live", "rtsp://...@camera/live"),
        (
            "rtsp://camera/user=viewer_password=secret_channel=1.sdp",
            "rtsp://camera/user=viewer_password=..._channel=1.sdp",
        ),
        ("rtsp://camera/user=viewer&password=secret&channel=1", "rtsp://camera/user=viewer&password=...&channel=1"),
        ("http://camera/video?user=viewer&pwd=secret", "http://camera/video"),
        ("srt://camera:9000?passphrase=secret", "srt://camera:9000"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("http://camera/live@2x", "http://camera/live@2x"),
        ("/videos/password=1.mp4", "/videos/password=1.mp4"),
    ],
)
def test_no_name_shows_a_password(address: str, name: str) -> None:
    assert display_name(address) == name
