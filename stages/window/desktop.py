"""Kind ``desktop``: the fused frames in a window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.frame import FusedFrame, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage
from stages.window.viewer import Viewer


@dataclass(frozen=True, kw_only=True)
class DesktopConfig:
    """Settings of the desktop window."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["desktop"] = "desktop"
    """Which window this is."""


class DesktopWindow(Stage[FusedFrame, FusedFrame]):
    """Passes frames through and shows the newest; the pipeline never waits for the screen."""

    Config = DesktopConfig

    def __init__(self, config: DesktopConfig) -> None:
        self._viewer: Viewer | None = None
        self._rotation_deg = 0

    @property
    def closed_by_hand(self) -> bool:
        """Whether the person closed it, and so wants an end of the run; from any thread."""
        return self._viewer is not None and self._viewer.closed_by_hand

    def open(self, info: StreamInfo) -> StreamInfo:
        """Open the window.

        Raises:
            ConfigError: there is no display.
        """
        self._rotation_deg = info.rotation_deg
        self._viewer = Viewer(f"lumabraid: {info.name}" if info.name else "lumabraid")
        self._viewer.open()
        return info

    def process(self, item: FusedFrame) -> Iterable[FusedFrame | Dropped]:
        """Show it and pass it on."""
        if self._viewer is None:
            raise RuntimeError("open comes before process")
        self._viewer.show(item.planes, item.color, rotation_deg=self._rotation_deg)
        yield item

    def close(self) -> None:
        """Take the window away."""
        if self._viewer is not None:
            self._viewer.close()
