"""One picture in the forms that viewers ask for, each made once however many of them look."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from stages.frame import Exposure
from stages.preview.drawing import Scratch, jpeg, small_bgr
from stages.preview.histogram import histogram
from stages.preview.picture import PreviewPicture, View

Made = TypeVar("Made")

_scratch = Scratch()


@dataclass(frozen=True, slots=True)
class Look:
    """What a viewer wants to see."""

    views: tuple[View, ...] = ()
    histograms: bool = False


@dataclass(frozen=True, slots=True)
class Quality:
    """How pictures are sent."""

    jpeg_quality: int
    largest_side: int


class Slide:
    """Lives in the server's event loop; the work is done by the executor."""

    def __init__(self, picture: PreviewPicture, quality: Quality, executor: Executor) -> None:
        self.picture = picture
        self._quality = quality
        self._executor = executor
        self._made: dict[object, asyncio.Future[Any]] = {}

    async def message(self, look: Look) -> bytes:
        """The picture as one message: see docs/preview.md."""
        message: bytes = await self._once(look, lambda: asyncio.ensure_future(self._compose(look)))
        return message

    async def _compose(self, look: Look) -> bytes:
        views = [view for view in look.views if view in self.picture.views]
        jpegs = [await self._once(view, partial(self._work, self._jpeg, view)) for view in views]
        header = self._header()
        header["views"] = [[view, len(content)] for view, content in zip(views, jpegs, strict=True)]
        if look.histograms:
            header["histograms"] = await self._once("histograms", partial(self._work, self._histograms))
        encoded = json.dumps(header, separators=(",", ":")).encode()
        return b"".join([struct.pack(">I", len(encoded)), encoded, *jpegs])

    def _work(self, job: Callable[..., Made], *arguments: object) -> asyncio.Future[Made]:
        return asyncio.get_running_loop().run_in_executor(self._executor, job, *arguments)

    async def _once(self, key: object, make: Callable[[], asyncio.Future[Any]]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return await asyncio.shield(self._made[key])  # one viewer that leaves must not cancel it for the others

    def _header(self) -> dict[str, object]:
        picture = self.picture
        return {
            "index": picture.index,
            "captured_ms": picture.captured_ns / 1e6 if picture.captured_ns else None,
            "fused_ms": picture.fused_ns / 1e6,
            "offered": picture.views,
            "ratio_stops": picture.ratio_stops,
            "exposures": [exposure_dict(exposure) for exposure in picture.exposures],
        }

    def _jpeg(self, view: View) -> bytes:
        picture, planes = self.picture, self.picture.planes(view)
        assert planes is not None
        bgr = small_bgr(
            planes,
            picture.color,
            sample_aspect_ratio=picture.sample_aspect_ratio,
            rotation_deg=picture.rotation_deg,
            largest_side=self._quality.largest_side,
            scratch=_scratch,
        )
        return jpeg(bgr, self._quality.jpeg_quality)

    def _histograms(self) -> dict[str, object]:
        shown: tuple[View, ...] = ("under", "over", "fused")
        found = {view: planes for view in shown if (planes := self.picture.planes(view)) is not None}
        return {view: asdict(histogram(planes, self.picture.color)) for view, planes in found.items()}


def exposure_dict(exposure: Exposure | None) -> dict[str, float] | None:
    """For JSON."""
    return None if exposure is None else {"time_us": exposure.time_us, "gain": exposure.gain}
