"""Keeps other web sites out: a page that is open in the same browser must neither see the camera nor steer it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_HEADERS: Final = {
    "Server": "lumabraid",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Refuses requests that come from other sites, or under a name that is not this machine's."""

    def __init__(self, host: str, names: Iterable[str]) -> None:
        """``host``: where the server listens; ``names``: further names it is opened under."""
        here = socket.gethostname()
        self._names = {name.lower() for name in ("localhost", here, f"{here}.local", host, *names)}

    def middleware(self) -> Middleware:
        """For the application."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self._refusal(request)
            if refusal is not None:
                raise web.HTTPForbidden(text=refusal + "\n", headers=_HEADERS)
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(_HEADERS)
                raise
            if not response.prepared:
                response.headers.update(_HEADERS)
            return response

        return guarded

    def _refusal(self, request: web.Request) -> str | None:
        """Why a request is refused; None for one that is welcome."""
        name = _name(request.host)
        # A site that lets its own name point here (DNS rebinding) comes under that name, never under a number.
        if not (_is_number(name) or name in self._names):
            return "Not known under this name: open the page by its address, or list the name in preview.names"
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2].lower() != request.host.lower():
            return "Only the preview page itself may do this"
        if request.path != "/" and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return "Only the preview page itself may load this"
        return None


def _name(netloc: str) -> str:
    """The host of HOST:PORT, in small letters; empty where it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
