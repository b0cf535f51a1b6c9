"""What is said between a camera whose exposures can be steered and whoever shows or changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stages.frame import Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketSettings:
    """What is wanted of the two exposures."""

    auto: bool = True
    """Choose both from the pictures and follow the light; false: hold the middle where it is."""
    stops: float | None = None
    """Between under and over; None: as many as the scene needs."""
    bias_stops: float = 0.0
    """Brightens both (negative: darkens)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketState:
    """What the controller does at this moment."""

    settings: BracketSettings
    under: Exposure | None
    """As asked of the camera last; None before that, and where the camera cannot be steered."""
    over: Exposure | None
    settled: bool
    """Both exposures suit the scene."""
    control_delay_frames: int | None
    """Frames from a command to the first picture that shows it, as found by trying; None while unknown."""
    note: str = ""
    """For a person, such as "trying whether the camera obeys" or "the camera ignores exposure commands"."""


class BracketControl(Protocol):
    """Steers the exposures of a running source; every call from any thread, and none waits."""

    @property
    def state(self) -> BracketState:
        """Now."""

    def request(self, settings: BracketSettings) -> None:
        """Want something else from the next frames on.

        Raises:
            ValueError: out of range; the message names the limits.
        """
