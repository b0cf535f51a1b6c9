"""Everybody who looks: each gets the newest picture when it has drawn the one before, and nothing waits in between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from stages.preview.figures import Figures
from stages.preview.newest import Newest
from stages.preview.picture import VIEWS, PreviewPicture
from stages.preview.slide import Look, Slide

_ON_THEIR_WAY: Final = 2
"""Pictures sent and not yet drawn: one on the wire while the other is decoded. A socket would hold many more."""
_FIGURES_INTERVAL_S: Final = 0.5
_HEARTBEAT_S: Final = 20.0
_LARGEST_MESSAGE: Final = 4096
"""Bytes; a viewer only says what it wants to see, and what it has drawn."""
_MOST_VIEWERS: Final = 64


class Viewer:
    """One WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.look = Look()
        self.on_their_way = 0
        self.may_have_more = asyncio.Event()
        """Something came that could let a picture be sent."""

    def hear(self, text: str) -> str | None:
        """Take in what the page says; returns the answer, if it deserves one.

        Raises:
            ValueError: it is not what the page says.
        """
        message = json.loads(text)
        match message:
            case {"type": "look", "views": list(views), "histograms": bool(histograms)}:
                self.look = Look(tuple(view for view in VIEWS if view in views), histograms)
            case {"type": "drawn"}:
                self.on_their_way = max(self.on_their_way - 1, 0)
            case {"type": "ping", "sent_ms": int() | float() as sent_ms}:
                return json.dumps({"type": "pong", "sent_ms": sent_ms, "server_ms": time.time_ns() / 1e6})
            case _:
                raise ValueError(f"unknown message {text!r}")
        self.may_have_more.set()
        return None


class Viewers:
    """Lives in the server's event loop."""

    def __init__(self, newest: Newest, figures: Figures, make_slide: Callable[[PreviewPicture], Slide]) -> None:
        self._newest = newest
        self._figures = figures
        self._make_slide = make_slide
        self._slide: Slide | None = None
        self._slide_number = 0
        self._viewers: set[Viewer] = set()
        self._woken = False

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Show pictures to one page until it goes."""
        if len(self._viewers) >= _MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_VIEWERS} viewers are looking already\n")
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST_MESSAGE, compress=False)
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # gone before it was let in
        viewer = Viewer(socket)
        self._viewers.add(viewer)
        self._watch()
        jobs = (self._listen(viewer), self._send_pictures(viewer), self._send_figures(viewer))
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (ValueError, RecursionError, ConnectionError):
            pass  # a page that says nonsense, or is gone, is shown nothing more
        finally:
            self._viewers.discard(viewer)
            self._watch()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody."""
        goodbyes = [viewer.socket.close(code=WSCloseCode.GOING_AWAY) for viewer in self._viewers]
        await asyncio.gather(*goodbyes, return_exceptions=True)

    def _watch(self) -> None:
        """Be told of new pictures while somebody looks, and only then."""
        looked_at = any(viewer.look.views for viewer in self._viewers)
        if not looked_at:
            self._newest.on_change = self._slide = None
        elif self._newest.on_change is None:
            loop = asyncio.get_running_loop()
            self._newest.on_change = lambda: self._call(loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the pipeline's thread: a picture came."""
        if self._woken:
            return  # the loop has not yet come to the last one
        self._woken = True
        try:
            loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            self._newest.on_change = None  # the loop has just been closed

    def _wake(self) -> None:
        self._woken = False
        for viewer in self._viewers:
            viewer.may_have_more.set()

    async def _listen(self, viewer: Viewer) -> None:
        async for message in viewer.socket:
            if message.type is not WSMsgType.TEXT:
                return
            answer = viewer.hear(message.data)
            if answer is not None:
                await viewer.socket.send_str(answer)
            self._watch()

    async def _send_pictures(self, viewer: Viewer) -> None:
        sent: tuple[int, Look] | None = None
        while True:
            await viewer.may_have_more.wait()
            viewer.may_have_more.clear()
            look = viewer.look
            if not look.views or viewer.on_their_way >= _ON_THEIR_WAY:
                continue
            self._take_newest()
            if self._slide is None or sent == (self._slide_number, look):
                continue
            sent = self._slide_number, look
            # A viewer that is stuck must not keep the slide, which holds the pipeline's pictures.
            message = await self._slide.message(look)
            viewer.on_their_way += 1
            await viewer.socket.send_bytes(message)
            viewer.may_have_more.set()  # something newer may have come meanwhile

    def _take_newest(self) -> None:
        picture = self._newest.picture
        if picture is not None and (self._slide is None or self._slide.picture is not picture):
            self._slide = self._make_slide(picture)
            self._slide_number += 1

    async def _send_figures(self, viewer: Viewer) -> None:
        while True:
            await viewer.socket.send_str(self._figures.text())
            await asyncio.sleep(_FIGURES_INTERVAL_S)
