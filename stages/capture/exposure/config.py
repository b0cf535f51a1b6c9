"""Settings of the exposure control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.bracket import BracketSettings
from stages.stage import FORBID_UNKNOWN_KEYS

FEWEST_STOPS, MOST_STOPS = 1.0, 8.0
"""Between under and over: below, pairing cannot tell them apart; above, they have nothing in common."""
_BIAS_STOPS = 6.0


@dataclass(frozen=True, kw_only=True)
class ExposureConfig:
    """Sets under and over alternately and follows the light."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    auto: bool = True
    """true = choose both exposures from the pictures; false = hold their middle where it is."""
    stops: float | None = None
    """Between the under and the over exposure; null = as many as the scene needs."""
    bias_stops: float = 0.0
    """Brightens both exposures (negative: darkens)."""
    min_stops: float = 2.0
    """Least ratio that is chosen where ``stops`` is null."""
    max_stops: float = 5.0
    """Greatest ratio that is chosen where ``stops`` is null: with more, highlights and shadows are shared out."""
    max_gain: float = 8.0
    """Highest gain asked for, after the exposure time is used up; 1 = none."""
    mains_hz: Literal[50, 60] | None = None
    """Frequency of the mains: exposures longer than a flash of the lamps take whole flashes; null = daylight."""
    alternate: Literal["auto", "always", "never"] = "auto"
    """auto = find out whether the camera obeys, and leave it alone if not; always = command it whatever it seems to
    do; never = the camera was set up to alternate by itself."""

    def __post_init__(self) -> None:
        """Refuse what no bracket can be."""
        check(BracketSettings(stops=self.stops, bias_stops=self.bias_stops))
        if not FEWEST_STOPS <= self.min_stops <= self.max_stops <= MOST_STOPS:
            raise ValueError(
                f"min_stops and max_stops must lie between {FEWEST_STOPS:g} and {MOST_STOPS:g}, in this order, "
                f"got {self.min_stops} and {self.max_stops}"
            )
        if not self.max_gain >= 1:
            raise ValueError(f"max_gain must be at least 1, got {self.max_gain}")

    @property
    def settings(self) -> BracketSettings:
        """What may be changed while the camera runs."""
        return BracketSettings(auto=self.auto, stops=self.stops, bias_stops=self.bias_stops)


def check(settings: BracketSettings) -> None:
    """Refuse settings out of range.

    Raises:
        ValueError: names the limits and the value seen.
    """
    if settings.stops is not None and not FEWEST_STOPS <= settings.stops <= MOST_STOPS:
        raise ValueError(f"stops must lie between {FEWEST_STOPS:g} and {MOST_STOPS:g}, got {settings.stops}")
    if not -_BIAS_STOPS <= settings.bias_stops <= _BIAS_STOPS:
        raise ValueError(f"bias_stops must lie between {-_BIAS_STOPS:g} and {_BIAS_STOPS:g}, got {settings.bias_stops}")
