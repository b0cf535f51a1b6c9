"""No output: for pipelines that only publish, and for measuring what everything before it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.frame import FusedFrame, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Done, Dropped, Stage


@dataclass(frozen=True)
class NoOutputConfig:
    """Settings of the sink that writes nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["none"] = "none"
    """Which sink this is."""


class NoOutput(Stage[FusedFrame, Done]):
    """Counts every frame as done and lets go of it."""

    Config = NoOutputConfig

    def __init__(self, config: NoOutputConfig) -> None:
        self._config = config

    def open(self, info: StreamInfo) -> StreamInfo:
        """Passes the description on."""
        return info

    def process(self, item: FusedFrame) -> Iterable[Done | Dropped]:
        """Done with it."""
        yield Done(item.index)

    def close(self) -> None:
        """Holds nothing."""
