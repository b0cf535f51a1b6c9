"""Live streams: RTSP from GStreamer's server, frozen, killed and restarted; and HTTP."""

from __future__ import annotations

import functools
import http.server
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from stages.capture.connection import Connection
from stages.capture.hardware import HardwareDecoding
from stages.capture.locate import locate
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.stream import StreamConfig, StreamSource
from stages.errors import SourceError
from stages.frame import Frame
from tests.capture.clips import flat, write_clip
from tests.capture.rtsp_server import PASSWORD, USER, RtspServer, interpreter, rtsp_server

needs_rtsp = pytest.mark.skipif(
    interpreter() is None,
    reason="no Python with GStreamer's RTSP server (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0, "
    "gstreamer1.0-plugins-good)",
)


class Viewer:
    """Reads a stream in a thread and remembers when its frames came."""

    def __init__(self, source: StreamSource) -> None:
        self.frames: list[tuple[float, Frame]] = []
        self._source = source
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while (frame := self._source.read()) is not None:
            self.frames.append((time.monotonic(), frame))

    def wait_for(self, count: int, timeout_s: float = 15.0) -> None:
        """Wait until as many more frames have come."""
        wanted = len(self.frames) + count
        deadline_s = time.monotonic() + timeout_s
        while len(self.frames) < wanted:
            assert time.monotonic() < deadline_s, f"only {len(self.frames)} of {wanted} frames came"
            time.sleep(0.02)

    def end(self) -> None:
        self._source.interrupt()
        self._thread.join(5)
        assert not self._thread.is_alive()


@contextmanager
def watched(url: str, **settings: Any) -> Iterator[tuple[StreamSource, Viewer]]:
    source = StreamSource(StreamConfig(input=url, reconnect=ReconnectConfig(**settings)))
    try:
        source.open()
        viewer = Viewer(source)
        try:
            yield source, viewer
        finally:
            viewer.end()
    finally:
        source.close()


def wait_for_words(caplog: pytest.LogCaptureFixture, words: str) -> None:
    deadline_s = time.monotonic() + 10
    while not any(words in record.getMessage() for record in list(caplog.records)):
        assert time.monotonic() < deadline_s, f"nothing was said of {words!r}"
        time.sleep(0.02)


def nothing_is_left(port: int) -> bool:
    """Whether every thread of a source, and every socket to this port, is gone within a few seconds."""
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        threads = [thread for thread in threading.enumerate() if thread.name == "live source"]
        peers = [connection.raddr.port for connection in psutil.Process().net_connections() if connection.raddr]
        if not threads and port not in peers:
            return True
        time.sleep(0.05)
    return False


@needs_rtsp
def test_an_rtsp_stream_goes_on_when_its_server_freezes_or_dies(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stages")
    with rtsp_server() as server, watched(server.url, stall_s=0.5) as (source, viewer):
        viewer.wait_for(5)
        server.freeze()
        wait_for_words(caplog, "lost, no frame for 0.5 s")
        server.thaw()
        wait_for_words(caplog, "back after")
        viewer.wait_for(5)
        caplog.clear()
        server.kill()
        wait_for_words(caplog, "lost, ")
        server.width, server.height = 160, 90
        server.start()
        viewer.wait_for(5)
        assert source.reconnections == 2
    frames = [frame for _, frame in viewer.frames]
    assert (frames[0].planes.width, frames[-1].planes.width) == (320, 160)
    assert all(a.index < b.index and a.pts < b.pts for a, b in pairwise(frames))
    # The time line is the clock's, outages included.
    clock_s = viewer.frames[-1][0] - viewer.frames[0][0]
    assert float((frames[-1].pts - frames[0].pts) * frames[0].time_base) == pytest.approx(clock_s, abs=1.5)
    assert nothing_is_left(server.port)


@needs_rtsp
def test_credentials_are_used_and_never_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with rtsp_server(with_password=True) as server:
        with watched(server.url, stall_s=0.5) as (_, viewer):
            viewer.wait_for(3)
            server.kill()
            wait_for_words(caplog, "lost")
            server.start()
            wait_for_words(caplog, "back")
        wrong = StreamSource(StreamConfig(input=server.url.replace(PASSWORD, "wrong-guess")))
        with pytest.raises(SourceError, match="401 Unauthorized") as refusal:
            wrong.open()
        wrong.close()
    with pytest.raises(SourceError, match="refused") as absence:
        StreamSource(StreamConfig(input=server.url)).open()
    shown = "\n".join([caplog.text, *capfd.readouterr(), repr(refusal.value), repr(absence.value)])
    for secret in (USER, PASSWORD, "wrong-guess"):
        assert secret not in shown


@needs_rtsp
def test_an_end_while_the_server_is_frozen_is_an_end_at_once() -> None:
    with rtsp_server() as server, watched(server.url) as (_, viewer):
        viewer.wait_for(3)
        server.freeze()
        started_s = time.monotonic()
        viewer.end()
        assert time.monotonic() - started_s < 1
    assert nothing_is_left(server.port)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not into the test's output."""


@contextmanager
def served(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of an HTTP server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address that the files in ``tmp_path`` are served at."""
    with served(functools.partial(Quiet, directory=str(tmp_path))) as address:
        yield address


def test_what_is_fetched_faster_than_it_is_shown_comes_at_its_own_pace(tmp_path: Path, site: str) -> None:
    write_clip(tmp_path / "clip.mkv", flat(range(16, 28)))
    with watched(f"{site}/clip.mkv") as (source, viewer):
        viewer.wait_for(13)
        assert source.overrun == 0
    (start_s, _), (end_s, last) = viewer.frames[0], viewer.frames[11]
    assert last.index == 11
    assert end_s - start_s > 0.35


class MotionJpeg(Quiet):
    """A webcam's page: one JPEG after another, ten in a second, without times."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        with suppress(OSError):
            while True:
                self.wfile.write(head + jpeg + b"\r\n")
                time.sleep(0.1)


def test_motion_jpeg_is_timed_by_the_clock() -> None:
    with served(MotionJpeg) as site, watched(f"{site}/video", stall_s=5) as (_, viewer):
        viewer.wait_for(4)
        viewer.frames.clear()
        viewer.wait_for(8)
        (start_s, first), *_, (end_s, last) = list(viewer.frames)
    assert float((last.pts - first.pts) * first.time_base) == pytest.approx(end_s - start_s, abs=0.3)


def test_a_stream_may_change_its_size_without_a_break(tmp_path: Path, site: str) -> None:
    small = write_clip(tmp_path / "small.h264", flat([30] * 5), codec="libx264")
    large = write_clip(tmp_path / "large.h264", flat([90] * 5, width=128, height=96), codec="libx264")
    (tmp_path / "both.h264").write_bytes(small.read_bytes() + large.read_bytes())
    # One connection by itself: all frames come at once, and a supervised source would give the newest.
    connection = Connection(
        locate(f"{site}/both.h264"),
        stream=None,
        open_timeout_s=5,
        read_timeout_s=5,
        options={},
        hardware=HardwareDecoding("none", "both.h264"),
    )
    try:
        assert connection.open().width == 64
        frames = list(iter(connection.read, None))
    finally:
        connection.close()
    assert [frame.planes.width for frame in frames] == [64] * 5 + [128] * 5
    assert all(a.pts < b.pts for a, b in pairwise(frames))


def test_an_address_without_a_server_is_one_line() -> None:
    server = RtspServer()
    source = StreamSource(StreamConfig(input=server.url))
    with pytest.raises(SourceError, match="Connection refused; check the address") as error:
        source.open()
    source.close()
    assert len(str(error.value).splitlines()) == 1


def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        url = f"rtsp://127.0.0.1:{port}/live"
        source = StreamSource(StreamConfig(input=url, reconnect=ReconnectConfig(open_timeout_s=0.5)))
        with pytest.raises(SourceError, match=r"no answer within 0\.5 s"):
            source.open()
        source.close()
    assert nothing_is_left(port)


@pytest.mark.parametrize("address", ["clip.mp4", "", "camera:554"])
def test_a_stream_needs_an_address(address: str) -> None:
    with pytest.raises(ValueError, match="input must be a URL"):
        StreamConfig(input=address)


def test_an_address_without_its_scheme_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match="got 'camera/live'"):
        StreamConfig(input=f"{USER}:{PASSWORD}@camera/live")
