"""Chooses the under and the over exposure from what the pictures show."""

from __future__ import annotations

import math

from stages.bracket import BracketSettings
from stages.capture.exposure.config import ExposureConfig
from stages.capture.exposure.level import Level
from stages.capture.exposure.limits import Limits
from stages.capture.exposure.metering import BLACK, CLIPPED, Reading

_HIGHLIGHT_SHARE = 0.997
"""Share of the under picture that must not clip."""
_HIGHLIGHT_TARGET = math.log2(0.6)
"""log2 light of the brightest of it: room for a colour that is brighter than its luma, and for flicker."""
_SHADOW_SHARE = 0.1
"""Share of the over picture that may be dark."""
_SHADOW_TARGET = math.log2(0.03)
"""log2 light of the brightest of it, out of the noise; sRGB 0.19."""
_START_STOPS, _STOP_STOPS = 0.4, 0.06
"""Exposures begin to move when they are off by the first, and rest when by less than the second."""
_SPEED = 0.3
"""Share of what is missing that is made up in each frame."""
_STRIDE = 0.15
"""Share of the ratio that exposures move by in a frame at most, so that each is nearer to the latest of its own role
than to the other's: where the picture between was lost, both are equally near at a fifth."""
_SETTLED_STOPS = 0.5


class Controller:
    """Holds highlights in the under and shadows in the over picture; exposures are log2 of microseconds times gain."""

    def __init__(self, config: ExposureConfig, limits: Limits, *, under: float, over: float) -> None:
        self.under = under
        """To be asked of the camera now."""
        self.over = over
        self._config = config
        self._limits = limits
        self._settings = BracketSettings()
        self._held_middle: float | None = None
        self._highlights = Level()
        self._shadows = Level()
        self._moving = True
        self.want(config.settings)

    @property
    def is_settled(self) -> bool:
        """Both exposures suit the scene, or lie as near as the limits allow."""
        under, over = self._targets()
        near = max(abs(under - self.under), abs(over - self.over)) < _SETTLED_STOPS
        held = self._held_middle is not None and self._settings.stops is not None
        return near and (held or (self._highlights.is_measured and self._shadows.is_measured) or not self._can_move())

    def want(self, settings: BracketSettings) -> None:
        """Aim for something else from now on."""
        if settings.auto:
            self._held_middle = None
        elif self._held_middle is None:
            self._held_middle = (self.under + self.over) / 2 - self._settings.bias_stops
        self._settings = settings
        self._moving = True

    def observe(self, reading: Reading, exposure: float, *, is_under: bool) -> None:
        """Learn of the scene from a picture taken with an exposure in stops."""
        light = reading.level(_HIGHLIGHT_SHARE)
        if BLACK < light < CLIPPED:
            if is_under or not self._highlights.is_measured:
                self._highlights.measure(light - exposure)
        elif is_under and light >= CLIPPED:
            self._highlights.at_least(CLIPPED - exposure, reach=_reach(reading.clipped_share))
        elif light <= BLACK:
            self._highlights.at_most(BLACK - exposure, reach=_reach(reading.black_share))
        light = reading.level(_SHADOW_SHARE)
        if BLACK < light < CLIPPED:
            if not is_under or not self._shadows.is_measured:
                self._shadows.measure(light - exposure)
        elif not is_under and light <= BLACK:
            self._shadows.at_most(BLACK - exposure, reach=_reach(reading.black_share))
        elif light >= CLIPPED:
            self._shadows.at_least(CLIPPED - exposure, reach=_reach(reading.clipped_share))

    def advance(self) -> None:
        """Move both exposures by a frame's worth."""
        under, over = (target - now for target, now in zip(self._targets(), (self.under, self.over), strict=True))
        missing = max(abs(under), abs(over))
        if missing > _START_STOPS:
            self._moving = True
        elif missing < _STOP_STOPS:
            self._moving = False
        if self._moving:
            stride = (self.over - self.under) * _STRIDE
            self.under += min(max(_SPEED * under, -stride), stride)
            self.over += min(max(_SPEED * over, -stride), stride)

    def _targets(self) -> tuple[float, float]:
        """Where under and over should be."""
        config, limits, highlights, shadows = self._config, self._limits, self._highlights.stops, self._shadows.stops
        under = self.under if highlights is None else max(_HIGHLIGHT_TARGET - highlights, limits.lowest)
        over = self.over if shadows is None else min(_SHADOW_TARGET - shadows, limits.highest)
        ratio = self._settings.stops or min(max(over - under, config.min_stops), config.max_stops)
        ratio = min(ratio, limits.highest - limits.lowest)
        middle = (under + over) / 2 if self._held_middle is None else self._held_middle
        middle += self._settings.bias_stops
        middle = min(max(middle, limits.lowest + ratio / 2), limits.highest - ratio / 2)
        return middle - ratio / 2, middle + ratio / 2

    def _can_move(self) -> bool:
        return self.under > self._limits.lowest + _SETTLED_STOPS and self.over < self._limits.highest - _SETTLED_STOPS


def _reach(lost_share: float) -> float:
    """How many stops beyond the bound a level is looked for when this share of the picture is lost."""
    return 1.5 + 3 * math.sqrt(lost_share)
