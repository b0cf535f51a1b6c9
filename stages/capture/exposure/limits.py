"""From an exposure in stops to a time and a gain that the camera has."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stages.frame import Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be asked of the camera; exposures are log2 of microseconds times gain."""

    min_time_us: float
    max_time_us: float
    min_gain: float = 1.0
    max_gain: float = 1.0
    mains_hz: float | None = None

    @property
    def lowest(self) -> float:
        """The least exposure."""
        return math.log2(self.min_time_us * self.min_gain)

    @property
    def highest(self) -> float:
        """The greatest exposure."""
        return math.log2(self.max_time_us * self.max_gain)

    def exposure(self, stops: float) -> Exposure:
        """The nearest exposure within the limits: time before gain, whole flashes of the lamps where it is long."""
        wanted = 2.0**stops
        time_us = min(max(wanted / self.min_gain, self.min_time_us), self.max_time_us)
        if self.mains_hz is None or time_us < (flash_us := 500_000 / self.mains_hz):
            return self._with_gain(time_us, wanted)
        flashes = math.floor(time_us / flash_us + 1e-6)
        choices = [
            self._with_gain(count * flash_us, wanted)
            for count in (flashes, flashes + 1)
            if count * flash_us <= self.max_time_us * (1 + 1e-6)
        ]
        return min(choices, key=lambda choice: abs(stops_of(choice) - stops))

    def _with_gain(self, time_us: float, wanted: float) -> Exposure:
        return Exposure(time_us, min(max(wanted / time_us, self.min_gain), self.max_gain))


def stops_of(exposure: Exposure) -> float:
    """log2 of microseconds times gain."""
    return math.log2(exposure.time_us * exposure.gain)
