"""Pictures to show, viewers without a browser, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import aiohttp
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.bracket import BracketSettings, BracketState
from stages.color import planes_from_bgr
from stages.frame import BT709, AlignedPair, ColorTags, Exposure, ExposurePair, Frame, FusedFrame, Planes, StreamInfo
from stages.preview.browser import BrowserConfig, BrowserPreview
from stages.preview.picture import PreviewPicture
from stages.preview.server import PreviewServer

PATIENCE_S = 20.0
"""Far more than anything here needs, far less than a deadlock takes."""
INFO = StreamInfo(64, 48, 8, Fraction(1, 25))


def flat(grey: float, *, width: int = 64, height: int = 48, color: ColorTags = BT709, bit_depth: int = 8) -> Planes:
    """One grey everywhere, 0 to 1."""
    return planes_from_bgr(np.full((height, width, 3), grey, np.float32), color, bit_depth=bit_depth)


def picture(index: int, **parts: Any) -> PreviewPicture:
    """Grey of a brightness that tells the index; under is darker and over brighter."""
    now_ns = time.time_ns()
    grey = 0.2 + (index % 32) / 64
    given: dict[str, Any] = {
        "fused": flat(grey),
        "under": flat(0.1),
        "over": flat(0.9),
        "single": flat(0.1 if index % 2 else 0.9),
        "color": BT709,
        "index": index,
        "captured_ns": now_ns - 40_000_000,
        "fused_ns": now_ns,
        "ratio_stops": 3.0,
        "exposures": (Exposure(2_000.0), Exposure(16_000.0, 2.0)),
    }
    return PreviewPicture(**{**given, **parts})


def fused_frame(index: int) -> FusedFrame:
    """As it leaves fusion."""
    shown = picture(index)
    assert shown.under is not None
    assert shown.over is not None
    under, over = (
        Frame(index + n, planes, index + n, Fraction(1, 25), exposure=exposure)
        for n, (planes, exposure) in enumerate(zip((shown.under, shown.over), shown.exposures, strict=True))
    )
    pair = ExposurePair(over, under, reference_is_under=False, ratio_stops=3.0)
    return FusedFrame(
        index=over.index,
        planes=shown.fused,
        pts=over.index,
        time_base=over.time_base,
        duration=1,
        color=BT709,
        sources=(under.index, over.index),
        ratio_stops=3.0,
        captured_ns=shown.captured_ns,
        fused_ns=shown.fused_ns,
        aligned=AlignedPair(pair, shown.under, shown.over, np.ones((1, 1), np.float32)),
    )


class FakeBracket:
    """Does what it is told, from 1 to 6 stops."""

    def __init__(self) -> None:
        self.settings = BracketSettings()

    @property
    def state(self) -> BracketState:
        return BracketState(
            settings=self.settings,
            under=Exposure(2_000.0),
            over=Exposure(16_000.0),
            settled=True,
            control_delay_frames=3,
        )

    def request(self, settings: BracketSettings) -> None:
        if settings.stops is not None and not 1 <= settings.stops <= 6:
            raise ValueError(f"stops must lie between 1 and 6, got {settings.stops:g}")
        self.settings = settings


class Stream:
    """Shows pictures at some 30 a second, until it is stopped."""

    def __init__(self, show: Callable[[PreviewPicture], None], make: Callable[[int], PreviewPicture]) -> None:
        self._show, self._make = show, make
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test.stream")
        self._thread.start()

    def _run(self) -> None:
        index = 0
        while not self._stopped.wait(1 / 30):
            self._show(self._make(index))
            index += 1

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE_S)


class Stand:
    """Makes servers and stages, and puts them away."""

    def __init__(self) -> None:
        self._closers: list[Callable[[], None]] = []

    def server(self, address: str = "127.0.0.1:0", **settings: Any) -> PreviewServer:
        server = PreviewServer(address, **settings)
        server.start()
        self._closers.append(server.close)
        return server

    def stage(self, **settings: Any) -> BrowserPreview:
        stage = BrowserPreview(BrowserConfig(**{"address": "0", **settings}))
        self._closers.append(stage.close)
        return stage

    def stream(self, server: PreviewServer, make: Callable[[int], PreviewPicture] = picture) -> Stream:
        stream = Stream(server.show, make)
        self._closers.append(stream.stop)
        return stream

    def close(self) -> None:
        for closer in reversed(self._closers):
            closer()


@pytest.fixture
def stand() -> Iterator[Stand]:
    before = set(threading.enumerate())
    stand = Stand()
    yield stand
    stand.close()
    assert [thread.name for thread in set(threading.enumerate()) - before] == []


@dataclass(frozen=True)
class Received:
    """A picture as a viewer gets it."""

    header: dict[str, Any]
    jpegs: dict[str, bytes]

    def pixels(self, view: str = "fused") -> npt.NDArray[np.uint8]:
        decoded = cv2.imdecode(np.frombuffer(self.jpegs[view], np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded.astype(np.uint8)


class Viewer:
    """What the page says and hears."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.figures: list[dict[str, Any]] = []

    async def look(self, *views: str, histograms: bool = False) -> None:
        await self.socket.send_json({"type": "look", "views": views, "histograms": histograms})

    async def drawn(self) -> None:
        await self.socket.send_json({"type": "drawn"})

    async def receive(self, patience_s: float = PATIENCE_S) -> Received | dict[str, Any]:
        """A picture, or what was said."""
        message = await self.socket.receive(patience_s)
        if message.type is aiohttp.WSMsgType.TEXT:
            said: dict[str, Any] = json.loads(message.data)
            return said
        assert message.type is aiohttp.WSMsgType.BINARY, message
        (length,) = struct.unpack(">I", message.data[:4])
        header = json.loads(message.data[4 : 4 + length])
        jpegs, start = {}, 4 + length
        for view, size in header["views"]:
            jpegs[view] = message.data[start : start + size]
            start += size
        assert start == len(message.data)
        return Received(header, jpegs)

    async def picture(self) -> Received:
        while not isinstance(received := await self.receive(), Received):
            pass
        return received

    async def said(self, kind: str) -> dict[str, Any]:
        while isinstance(received := await self.receive(), Received) or received["type"] != kind:
            pass
        return received

    async def no_picture(self, for_s: float) -> None:
        """Nothing but words come for so long."""
        deadline_s = time.monotonic() + for_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                assert not isinstance(await self.receive(left_s), Received)
            except TimeoutError:
                return


@asynccontextmanager
async def viewer(url: str | None, **headers: str) -> AsyncIterator[Viewer]:
    assert url is not None
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}live", headers=headers) as socket:
        yield Viewer(socket)


def play(scene: Coroutine[Any, Any, None]) -> None:
    """Run the viewers' side of a test, for a bounded time."""
    asyncio.run(asyncio.wait_for(scene, 3 * PATIENCE_S))
