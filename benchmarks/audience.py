"""Viewers of the preview page without a browser, in a process of their own, where they cost as little as can be.

Theirs would be other machines. So they ask for what the page asks for, read every byte and answer, but draw nothing;
and as a rule they take only the processor time that nobody else wants.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final
from urllib.parse import urlsplit

_PATIENCE_S: Final = 10.0
_TEXT, _BINARY = 0x1, 0x2
"""Opcodes of RFC 6455."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the viewers saw from their coming until they went."""

    ages_ms: list[float]
    """From the capture of each picture until it was here, but for the first of each viewer: it is as old as it is."""
    delays_ms: list[float]
    """The same from the moment it was fused."""
    pictures: list[int]
    """How many each viewer got."""
    cpu_s: float
    """Processor time of all viewers together."""


class Audience:
    """A number of viewers who come and go at a word; ``close`` once."""

    def __init__(self, viewers: int, *, compete: bool = False) -> None:
        """Start the process, and wait until it is ready.

        Args:
            viewers: how many.
            compete: let them take their share of the processor, at the lowest ordinary priority.
        """
        context = multiprocessing.get_context("spawn")
        self._orders, other_end = context.Pipe()
        self._process = context.Process(target=_attend, args=(other_end, viewers, compete), daemon=True)
        self._process.start()
        self.priority: str = self._orders.recv()
        """How the viewers run, in words."""

    def come(self, url: str) -> None:
        """Let all of them look at the page at ``url``."""
        self._orders.send(url)

    def go(self) -> Seen:
        """Send them home."""
        self._orders.send(None)
        seen: Seen = self._orders.recv()
        return seen

    def close(self) -> None:
        """End the process."""
        self._orders.send("")
        self._process.join(_PATIENCE_S)


class _Viewer(threading.Thread):
    """One page: asks for the picture and the histograms, and says of each that it is drawn."""

    def __init__(self, url: str) -> None:
        super().__init__(name="viewer")
        where = urlsplit(url)
        self._host = where.netloc
        self._socket = socket.create_connection((where.hostname or "", where.port or 80), _PATIENCE_S)
        self._buffer = bytearray(1 << 20)
        self.ages_ms: list[float] = []
        self.delays_ms: list[float] = []
        self.pictures = 0

    def run(self) -> None:
        """Look until told to leave."""
        # Where it was told to leave, or the server went.
        with suppress(OSError), self._socket:
            self._shake_hands()
            self._say({"type": "look", "views": ["fused"], "histograms": True})
            while True:
                opcode, message = self._message()
                if opcode == _BINARY:
                    self._say({"type": "drawn"})
                    self._note(message)

    def leave(self) -> None:
        """Hang up; from any thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _shake_hands(self) -> None:
        """Make a WebSocket of it, RFC 6455 section 4.1."""
        self._socket.sendall(
            f"GET /live HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no WebSocket: {head[:80]!r}")
        self._socket.settimeout(None)

    def _say(self, message: dict[str, object]) -> None:
        """One short text; its mask of zeros leaves it as it is."""
        text = json.dumps(message).encode()
        self._socket.sendall(struct.pack(">BB4x", 0x80 | _TEXT, 0x80 | len(text)) + text)

    def _message(self) -> tuple[int, memoryview]:
        """(opcode, content); the content is valid until the next."""
        first, length = self._read(2)
        if length >= 126:
            length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
        return first & 0xF, self._read(length)

    def _read(self, size: int) -> memoryview:
        if size > len(self._buffer):
            self._buffer = bytearray(size)
        whole = memoryview(self._buffer)[:size]
        rest = whole
        while rest:
            # One call for a whole picture: each wake-up costs the sender as well.
            got = self._socket.recv_into(rest, 0, socket.MSG_WAITALL)
            if not got:
                raise ConnectionError("the server hung up")
            rest = rest[got:]
        return whole

    def _note(self, message: memoryview) -> None:
        self.pictures += 1
        if self.pictures == 1:
            return
        now_ms = time.time_ns() / 1e6
        (length,) = struct.unpack(">I", message[:4])
        header = json.loads(bytes(message[4 : 4 + length]))
        self.ages_ms.append(now_ms - header["captured_ms"])
        self.delays_ms.append(now_ms - header["fused_ms"])


def _attend(orders: Connection, viewers: int, compete: bool) -> None:
    """Come at a URL, go at None, and then tell what was seen; an empty URL ends it."""
    orders.send(_step_back(compete))
    while url := orders.recv():
        started_s = time.process_time()
        crowd = [_Viewer(url) for _ in range(viewers)]
        for viewer in crowd:
            viewer.start()
        orders.recv()
        for viewer in crowd:
            viewer.leave()
        for viewer in crowd:
            viewer.join()
        orders.send(
            Seen(
                ages_ms=[age for viewer in crowd for age in viewer.ages_ms],
                delays_ms=[delay for viewer in crowd for delay in viewer.delays_ms],
                pictures=[viewer.pictures for viewer in crowd],
                cpu_s=time.process_time() - started_s,
            )
        )


def _step_back(compete: bool) -> str:
    """Choose this process's priority, before it has threads; returns it in words."""
    if sys.platform == "win32":
        return "at the pipeline's own priority"
    if sys.platform == "linux":
        # Also where viewers compete: SVT-AV1 leaves a superuser's threads, and what they start, in real time.
        os.sched_setscheduler(0, os.SCHED_OTHER if compete else os.SCHED_IDLE, os.sched_param(0))
        if not compete:
            return "only on time that nobody else wants (SCHED_IDLE)"
    os.nice(19)
    return "at the lowest ordinary priority (nice 19)"
