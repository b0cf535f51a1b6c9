"""Received frames in a window, on a page, or on both."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import lumabraid

from pipeline.received import ReceivedPictures
from stages.errors import ConfigError
from stages.preview.picture import PreviewPicture
from stages.preview.server import PreviewServer
from stages.window.viewer import Viewer

if TYPE_CHECKING:
    from pipeline.subscription import Reception


class Display:
    """Shows the newest frame received while the block lasts."""

    def __init__(self, *, title: str, window: bool, preview: str | None) -> None:
        """Set it up.

        Args:
            title: of the window.
            window: whether there is one.
            preview: [HOST:]PORT of the page; None = none.

        Raises:
            ConfigError: the page's address is none.
        """
        self._pictures = ReceivedPictures()
        self._viewer = Viewer(title) if window else None
        self._status: Mapping[str, object] = {}
        try:
            self._server = None if preview is None else PreviewServer(preview, status=lambda: self._status)
        except ValueError as error:
            raise ConfigError(f"preview: {error}") from None

    @property
    def closed_by_hand(self) -> bool:
        """Whether the person closed the window."""
        return self._viewer is not None and self._viewer.closed_by_hand

    @property
    def url(self) -> str | None:
        """Of the page; None where there is none."""
        return None if self._server is None else self._server.url

    def show(self, frame: lumabraid.Frame) -> None:
        """Show a frame next.

        Raises:
            LumabraidError: this encoding cannot be shown.
        """
        read = self._pictures.read(frame)
        if read is None:
            return
        planes, color = read
        header = frame.header
        if self._viewer is not None:
            self._viewer.show(planes, color)
        if self._server is not None:
            self._server.show(
                PreviewPicture(
                    fused=planes,
                    color=color,
                    index=header.index,
                    captured_ns=header.captured_ns,
                    fused_ns=header.fused_ns or time.time_ns(),
                    ratio_stops=header.ratio_stops,
                )
            )

    def tell(self, reception: Reception) -> None:
        """Let the page say what arrived."""
        self._status = dataclasses.asdict(reception)

    def __enter__(self) -> Self:
        try:
            if self._viewer is not None:
                self._viewer.open()
            if self._server is not None:
                self._server.start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._viewer is not None:
            self._viewer.close()
        if self._server is not None:
            self._server.close()
