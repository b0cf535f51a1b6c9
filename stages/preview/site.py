"""What the server answers: the page, its figures, snapshots and the bracket."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Executor
from datetime import datetime
from importlib import resources
from typing import Final, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from stages.bracket import BracketControl, BracketSettings
from stages.preview.drawing import eight_bit, full_bgr, jpeg, png
from stages.preview.figures import Figures, bracket_dict
from stages.preview.guard import Guard
from stages.preview.newest import Newest
from stages.preview.picture import PreviewPicture
from stages.preview.viewers import Viewers

_LARGEST_REQUEST: Final = 4096
_CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_SNAPSHOT_JPEG_QUALITY: Final = 95


class Site:
    """Its handlers run in the server's event loop; pictures are encoded by the executor."""

    def __init__(
        self,
        *,
        newest: Newest,
        figures: Figures,
        viewers: Viewers,
        bracket: BracketControl | None,
        executor: Executor,
        guard: Guard,
    ) -> None:
        self._newest = newest
        self._figures = figures
        self._viewers = viewers
        self._bracket = bracket
        self._executor = executor
        self._guard = guard

    def application(self) -> web.Application:
        """For aiohttp."""
        app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[self._guard.middleware()])
        app.router.add_get("/status", self._status)
        app.router.add_get("/snapshot.{kind:png|jpg}", self._snapshot)
        app.router.add_get("/bracket", self._show_bracket)
        app.router.add_post("/bracket", self._request_bracket)
        app.router.add_get("/live", self._viewers.serve)
        for entry in (resources.files("stages.preview") / "page").iterdir():
            path = "/" if entry.name == "index.html" else f"/{entry.name}"
            content_type = _CONTENT_TYPES["." + entry.name.rpartition(".")[2]]
            app.router.add_get(path, _file_handler(entry.read_bytes(), content_type))
        return app

    async def _status(self, _: web.Request) -> web.Response:
        return _json(self._figures.to_dict())

    async def _snapshot(self, request: web.Request) -> web.Response:
        picture = self._newest.picture
        if picture is None:
            raise web.HTTPServiceUnavailable(text="No picture has come yet\n")
        kind: Literal["png", "jpg"] = "png" if request.match_info["kind"] == "png" else "jpg"
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._executor, _snapshot_file, picture, kind)
        return web.Response(
            body=content,
            content_type="image/png" if kind == "png" else "image/jpeg",
            headers={
                "Content-Disposition": f'attachment; filename="{_snapshot_name(picture)}.{kind}"',
                "Cache-Control": "no-store",
            },
        )

    async def _show_bracket(self, _: web.Request) -> web.Response:
        return _json(bracket_dict(self._steered().state))

    async def _request_bracket(self, request: web.Request) -> web.Response:
        bracket = self._steered()
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="Send application/json\n")
        try:
            wanted = _settings(await request.read())
            bracket.request(wanted)
        except (ValueError, RecursionError) as error:
            return _json({"error": str(error)}, status=400)
        return _json(bracket_dict(bracket.state))

    def _steered(self) -> BracketControl:
        if self._bracket is None:
            raise web.HTTPNotFound(text="The exposures of this source cannot be steered\n")
        return self._bracket


def _json(content: object, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, headers={"Cache-Control": "no-store"})


def _file_handler(content: bytes, content_type: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=headers)

    return handler


def _settings(body: bytes) -> BracketSettings:
    """What is asked for, in the words of the JSON.

    Raises:
        ValueError: it is no JSON, or something else is asked for.
    """
    match json.loads(body):
        case {"auto": bool(auto), "stops": int() | float() | None as stops, "bias_stops": int() | float() as bias}:
            return BracketSettings(auto=auto, stops=stops, bias_stops=bias)
    raise ValueError("expected auto (true or false), stops (a number or null) and bias_stops (a number)")


def _snapshot_file(picture: PreviewPicture, kind: Literal["png", "jpg"]) -> bytes:
    bgr = full_bgr(
        picture.fused,
        picture.color,
        sample_aspect_ratio=picture.sample_aspect_ratio,
        rotation_deg=picture.rotation_deg,
    )
    if kind == "png":
        return png(bgr, bit_depth=picture.fused.bit_depth)
    return jpeg(eight_bit(bgr), _SNAPSHOT_JPEG_QUALITY)


def _snapshot_name(picture: PreviewPicture) -> str:
    """By the local time of its capture."""
    moment = datetime.fromtimestamp((picture.captured_ns or picture.fused_ns) / 1e9)
    return f"lumabraid-{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}"
