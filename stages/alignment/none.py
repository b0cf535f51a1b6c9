"""No alignment: for cameras on a tripod before a still scene, and as the yardstick of benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from stages.frame import AlignedPair, ExposurePair, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage


@dataclass(frozen=True)
class NoAlignmentConfig:
    """Settings of the stage that aligns nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["none"] = "none"
    """Both frames as they are."""


class NoAlignment(Stage[ExposurePair, AlignedPair]):
    """Trusts every pixel of the neighbour where it is."""

    Config = NoAlignmentConfig

    def __init__(self, config: NoAlignmentConfig) -> None:
        self._config = config

    def open(self, info: StreamInfo) -> StreamInfo:
        """Passes the description on."""
        return info

    def process(self, item: ExposurePair) -> Iterable[AlignedPair | Dropped]:
        """Both frames as they are, confidence 1 on a grid of an eighth of the size."""
        reference, neighbour = item.reference.planes, item.neighbour.planes
        under, over = (reference, neighbour) if item.reference_is_under else (neighbour, reference)
        trusted = np.ones((-(-reference.height // 8), -(-reference.width // 8)), np.float32)
        yield AlignedPair(item, under=under, over=over, confidence=trusted)

    def close(self) -> None:
        """Holds nothing."""
