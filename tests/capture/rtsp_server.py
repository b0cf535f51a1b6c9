"""An RTSP server with a test picture: GStreamer's own, run by a Python that has its bindings (Debian: python3-gi,
gir1.2-gst-rtsp-server-1.0). As a program it serves; imported, it starts and steers such a program."""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ENCODERS = {
    "x264enc": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 threads=1 ! rtph264pay name=pay0 pt=96",
    "openh264enc": "openh264enc gop-size=25 ! rtph264pay name=pay0 pt=96",
    "jpegenc": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}
"""Encoder and payloader, the best first."""
PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    f"assert any(Gst.ElementFactory.find(name) for name in {list(ENCODERS)!r})"
)
USER, PASSWORD = "viewer", "open-sesame"


@cache
def interpreter() -> str | None:
    """A Python that can serve; None where there is none."""
    for name in (sys.executable, shutil.which("python3", path="/usr/bin"), shutil.which("python3")):
        if name and subprocess.run([name, "-c", PROBE], capture_output=True, check=False, timeout=60).returncode == 0:
            return name
    return None


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """A server in a process of its own, at one port for all its lives."""

    def __init__(self, *, width: int = 320, height: int = 180, with_password: bool = False) -> None:
        self.port = free_port()
        self.width, self.height = width, height
        self._with_password = with_password
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """With the user's name and password where it asks for them."""
        user = f"{USER}:{PASSWORD}@" if self._with_password else ""
        return f"rtsp://{user}127.0.0.1:{self.port}/test"

    def start(self) -> None:
        """Serve; returns when it listens."""
        program = interpreter()
        assert program is not None
        command = [program, str(Path(__file__)), str(self.port), str(self.width), str(self.height)]
        self._process = subprocess.Popen(
            [*command, *(["--with-password"] if self._with_password else [])], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def freeze(self) -> None:
        """Answer nothing, close nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End at once, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def rtsp_server(*, width: int = 320, height: int = 180, with_password: bool = False) -> Iterator[RtspServer]:
    """A server that listens inside the block."""
    server = RtspServer(width=width, height=height, with_password=with_password)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def serve() -> None:
    """Be the server, until killed."""
    gi = import_module("gi")
    for name in ("Gst", "GstRtspServer"):
        gi.require_version(name, "1.0")
    gst, rtsp, glib = (import_module(f"gi.repository.{name}") for name in ("Gst", "GstRtspServer", "GLib"))
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("width")
    parser.add_argument("height")
    parser.add_argument("--with-password", action="store_true")
    arguments = parser.parse_args()
    gst.init(None)
    encoder = next(pipeline for name, pipeline in ENCODERS.items() if gst.ElementFactory.find(name))
    server = rtsp.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    factory = rtsp.RTSPMediaFactory.new()
    factory.set_launch(
        "( videotestsrc is-live=true pattern=ball ! "
        f"video/x-raw,format=I420,width={arguments.width},height={arguments.height},framerate=25/1 ! {encoder} )"
    )
    factory.set_shared(True)
    if arguments.with_password:
        _ask_for_password(server, factory, rtsp)
    server.get_mount_points().add_factory("/test", factory)
    server.attach(None)
    print("listening", flush=True)
    glib.MainLoop().run()


def _ask_for_password(server: Any, factory: Any, rtsp: Any) -> None:
    token = rtsp.RTSPToken()
    token.set_string(rtsp.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth = rtsp.RTSPAuth.new()
    auth.add_basic(rtsp.RTSPAuth.make_basic(USER, PASSWORD), token)
    server.set_auth(auth)
    permissions = rtsp.RTSPPermissions()
    permissions.add_permission_for_role("viewer", rtsp.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("viewer", rtsp.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    serve()
