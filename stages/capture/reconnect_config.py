"""Settings that all live sources share: when one counts as lost, and what then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stages.stage import FORBID_UNKNOWN_KEYS


@dataclass(frozen=True, kw_only=True)
class ReconnectConfig:
    """When a live source counts as lost, and how long it is sought."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    stall_s: float = 1.75
    """After how many seconds without a frame the source counts as lost; more for slow frame rates."""
    open_timeout_s: float = 10.0
    """How long it may take from opening the source to its first frame."""
    give_up_s: float | None = None
    """How long a source that was lost is sought before the run ends; null: for ever."""
    wait_for_source: bool = False
    """Wait for a source that cannot be opened at the start; false: that is an error."""

    def __post_init__(self) -> None:
        """Refuse times that are none."""
        for name in ("stall_s", "open_timeout_s", "give_up_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
