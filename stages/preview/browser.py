"""Kind ``browser``: a page in the browser that shows the fused picture while the pipeline runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.bracket import BracketControl
from stages.frame import FusedFrame, StreamInfo
from stages.preview.address import parse_address
from stages.preview.picture import PreviewPicture
from stages.preview.server import PreviewServer
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage


@dataclass(frozen=True, kw_only=True)
class BrowserConfig:
    """Settings of the preview page."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["browser"] = "browser"
    """Which preview this is."""
    address: str = "127.0.0.1:8080"
    """HOST:PORT, or PORT for this machine alone; host * lets every machine watch, without a password; port 0 = any."""
    jpeg_quality: int = 80
    """1 to 100, larger is better."""
    largest_side: int = 1280
    """Pixels; larger pictures are shrunk for the page, never for a snapshot."""
    names: tuple[str, ...] = ()
    """Host names the page is opened under, besides this machine's own; needed behind a proxy."""

    def __post_init__(self) -> None:
        """Refuse what cannot be served."""
        parse_address(self.address)
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must lie in 1 to 100, got {self.jpeg_quality}")
        if not 16 <= self.largest_side <= 16384:
            raise ValueError(f"largest_side must lie in 16 to 16384, got {self.largest_side}")


class BrowserPreview(Stage[FusedFrame, FusedFrame]):
    """Passes frames through, and leaves each to the page's server, which keeps the newest."""

    Config = BrowserConfig

    def __init__(self, config: BrowserConfig) -> None:
        """``config``: the settings."""
        self._config = config
        self._status: Callable[[], Mapping[str, object]] | None = None
        self._bracket: BracketControl | None = None
        self._server: PreviewServer | None = None
        self._info: StreamInfo | None = None

    @property
    def url(self) -> str | None:
        """What to open on this machine, while it is open."""
        return None if self._server is None else self._server.url

    @property
    def urls_elsewhere(self) -> tuple[str, ...]:
        """What to open on other machines, while it is open for them."""
        return () if self._server is None else self._server.urls_elsewhere

    def connect(self, *, status: Callable[[], Mapping[str, object]], bracket: BracketControl | None) -> None:
        """Say what else the page can tell and do; before ``open``.

        Args:
            status: the report of the moment, for JSON; called by another thread while somebody looks.
            bracket: steers the source's exposures; None where they cannot be steered.
        """
        self._status, self._bracket = status, bracket

    def open(self, info: StreamInfo) -> StreamInfo:
        """Begin to serve the page.

        Raises:
            ConfigError: nothing can listen at the address.
        """
        config = self._config
        server = PreviewServer(
            config.address,
            jpeg_quality=config.jpeg_quality,
            largest_side=config.largest_side,
            names=config.names,
            status=self._status,
            bracket=self._bracket,
        )
        server.start()
        self._server, self._info = server, info
        return info

    def process(self, item: FusedFrame) -> Iterable[FusedFrame | Dropped]:
        """Leave the frame to the page and pass it on."""
        if self._server is None or self._info is None:
            raise RuntimeError("open comes before process")
        info = self._info
        self._server.show(
            PreviewPicture.of(item, sample_aspect_ratio=info.sample_aspect_ratio, rotation_deg=info.rotation_deg)
        )
        yield item

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()
        self._server = None
