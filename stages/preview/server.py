"""Serves the preview page from a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from aiohttp import web

from stages.bracket import BracketControl
from stages.preview.address import is_public, listen, parse_address, url_of, urls_elsewhere
from stages.preview.figures import Figures, Status
from stages.preview.guard import Guard
from stages.preview.newest import Newest
from stages.preview.picture import PreviewPicture
from stages.preview.site import Site
from stages.preview.slide import Quality, Slide
from stages.preview.viewers import Viewers

_log = logging.getLogger(__name__)

_ENCODERS: Final = 2
"""Threads, so that a snapshot does not hold the live picture up."""
_GOODBYE_S: Final = 1.0
"""How long viewers have to hear of the end."""
_STOP_S: Final = 5.0


class PreviewServer:
    """Shows the newest picture to any number of viewers; ``start`` once, ``close`` once.

    Nothing is encoded while nobody looks, and each picture once for all who do. A viewer who takes long gets fewer
    pictures, never older ones.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:8080",
        *,
        jpeg_quality: int = 80,
        largest_side: int = 1280,
        names: Iterable[str] = (),
        status: Status | None = None,
        bracket: BracketControl | None = None,
    ) -> None:
        """Set it up.

        Args:
            address: HOST:PORT, or PORT for this machine alone; port 0 finds a free one, the host * is every address.
            jpeg_quality: 1 to 100.
            largest_side: of the pictures sent, in pixels; larger ones are shrunk.
            names: host names the page is opened under, besides this machine's own.
            status: what the pipeline says of itself, for JSON; called by the server's thread while somebody looks.
            bracket: steers the exposures; None where they cannot be steered.

        Raises:
            ValueError: the address is none.
        """
        self._host, self._port = parse_address(address)
        self._quality = Quality(jpeg_quality, largest_side)
        self._guard = Guard(self._host, names)
        self._bracket = bracket
        self._newest = Newest()
        self._figures = Figures(self._newest, status, bracket)
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread: threading.Thread | None = None
        self.url: str | None = None
        """What to open on this machine, once started."""
        self.urls_elsewhere: tuple[str, ...] = ()
        """What to open on others, once started, where they may."""

    def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: nothing can listen there.
        """
        listener = listen(self._host, self._port)
        port: int = listener.getsockname()[1]
        self.url, self.urls_elsewhere = url_of(self._host, port), tuple(urls_elsewhere(self._host, port))
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener)), name="preview.server", daemon=True
        )
        self._thread.start()
        self._ready.result()
        _log.info("preview at %s", self.url)
        if is_public(self._host):
            where = " or ".join(self.urls_elsewhere)
            steers = "" if self._bracket is None else " and change its exposures"
            _log.warning(
                "the preview is open to everybody on the network%s; it has no password: whoever reaches it can watch%s",
                *(where and f" at {where}", steers),
            )

    def show(self, picture: PreviewPicture) -> None:
        """Leave the newest picture; from any thread, and waits for nothing."""
        self._newest.put(picture)

    def close(self) -> None:
        """Send the viewers home and stop listening."""
        if self._thread is not None:
            loop, stop = self._ready.result()
            loop.call_soon_threadsafe(stop.set)
            self._thread.join(_STOP_S)
            self._thread = None

    async def _serve(self, listener: socket.socket) -> None:
        try:
            with ThreadPoolExecutor(_ENCODERS, thread_name_prefix="preview.encoder") as executor:
                await self._serve_with(executor, listener)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve_with(self, executor: ThreadPoolExecutor, listener: socket.socket) -> None:
        viewers = Viewers(self._newest, self._figures, lambda picture: Slide(picture, self._quality, executor))
        site = Site(
            newest=self._newest,
            figures=self._figures,
            viewers=viewers,
            bracket=self._bracket,
            executor=executor,
            guard=self._guard,
        )
        runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=_GOODBYE_S)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            stop = asyncio.Event()
            self._ready.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
            await asyncio.wait_for(viewers.close(), _GOODBYE_S)
        except TimeoutError:
            pass  # a viewer who does not answer is left
        finally:
            await runner.cleanup()
