"""How soon a stream is missed and how soon it is back: an RTSP server frozen, killed and restarted again and again.

python -m benchmarks.reconnect [--times N]

Needs GStreamer's RTSP server (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0). "Noticed" counts from what was done to
the server, "resumed" from its return: until then it was frozen or gone.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import statistics
import threading
import time
from collections.abc import Callable

import psutil

from stages.capture.stream import StreamConfig, StreamSource
from tests.capture.rtsp_server import RtspServer, interpreter, rtsp_server

QUIET_S = 1.5
"""Frames flow for at least this long between two disturbances."""
TIMEOUT_S = 30.0


class Watch(logging.Handler):
    """Reads the stream and notes when it was missed and when it was back."""

    def __init__(self, source: StreamSource) -> None:
        super().__init__()
        self.lost_s = 0.0
        """When the last loss was noticed."""
        self.back_s = 0.0
        """When the first frame after it came."""
        self._source = source
        self._thread = threading.Thread(target=self._read, name="reader")
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """The source says that it was lost; see ``SupervisedSource``."""
        if record.levelno == logging.WARNING:
            self.lost_s = time.monotonic()

    def _read(self) -> None:
        while self._source.read() is not None:
            if self.back_s < self.lost_s:
                self.back_s = time.monotonic()

    def end(self) -> None:
        """Stop reading."""
        self._source.interrupt()
        self._thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"nothing happened in {TIMEOUT_S:g} s")
        time.sleep(0.005)


def disturb(way: str, server: RtspServer, watch: Watch) -> tuple[float, float]:
    """Seconds until the loss was noticed, and from the server's return to the next frame."""
    started_s = time.monotonic()
    if way == "frozen":
        server.freeze()
    else:
        server.kill()
    if way == "restarted":
        server.start()
    else:
        wait_for(lambda: watch.lost_s > started_s)
        time.sleep(random.uniform(0.0, 6.0))
        if way == "frozen":
            server.thaw()
        else:
            server.start()
    returned_s = time.monotonic()
    wait_for(lambda: watch.back_s > watch.lost_s > started_s)
    return watch.lost_s - started_s, watch.back_s - returned_s


def left() -> tuple[int, int, float]:
    """Threads, sockets and resident MiB of this process."""
    gc.collect()
    process = psutil.Process()
    return process.num_threads(), len(process.net_connections()), process.memory_info().rss / (1 << 20)


def watch_once(server: RtspServer, way: str, times: int) -> list[tuple[float, float]]:
    """Open a stream, disturb its server so many times, and close it."""
    log = logging.getLogger("stages.capture.supervised")
    log.propagate = False
    source = StreamSource(StreamConfig(input=server.url))
    source.open()
    watch = Watch(source)
    log.addHandler(watch)
    results = []
    try:
        for _ in range(times):
            time.sleep(QUIET_S)
            results.append(disturb(way, server, watch))
    finally:
        log.removeHandler(watch)
        watch.end()
        source.close()
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    if interpreter() is None:
        raise SystemExit("no Python with GStreamer's RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0")
    with rtsp_server(width=640, height=360) as server:
        watch_once(server, "killed", 1)  # whatever is loaded once is loaded now
        before = left()
        for way in ("frozen", "killed", "restarted"):
            results = watch_once(server, way, arguments.times)
            for what, seconds in zip(("noticed", "resumed"), zip(*results, strict=True), strict=True):
                print(
                    f"{way:9} x {len(results)}: {what} after {statistics.median(seconds):.2f} s in the median, "
                    f"{max(seconds):.2f} s at most",
                    flush=True,
                )
        wait_for(lambda: left()[0] <= before[0])
        after = left()
    for what, was, now in zip(("threads", "sockets", "resident MiB"), before, after, strict=True):
        print(f"{what}: {was:.0f} before, {now:.0f} after")


if __name__ == "__main__":
    main()
