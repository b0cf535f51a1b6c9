"""How bright the scene's highlights or shadows are, gathered from pictures that may be clipped or black."""

from __future__ import annotations

from collections import deque

_WINDOW = 9
"""Measurements averaged: lamps that flicker differ from one to the next."""
_JUMP_STOPS = 1.0
"""A measurement farther than this from the average means that the light changed, if a second one agrees."""
_NEAR_REACH = 1 / 3
"""Share of the reach by which a bound is gone beyond that lies no farther from the average than that."""


class Level:
    """A level of the scene's light in stops: what a picture shows of it, less that picture's exposure.

    A picture that shows only that the level lies beyond what it can hold gives a bound; the level is then taken to
    lie ``reach`` stops beyond, where the next exposure may see it.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        self._guess: float | None = None
        self._doubted = False

    @property
    def stops(self) -> float | None:
        """The best estimate; None before the first picture."""
        return sum(self._recent) / len(self._recent) if self._recent else self._guess

    @property
    def is_measured(self) -> bool:
        """False while nothing but a bound is known."""
        return bool(self._recent)

    def measure(self, stops: float) -> None:
        """Take in what a picture shows."""
        if self._is_near(stops):
            self._doubted = False
            self._recent.append(stops)
        elif self._may_jump():
            self._recent.clear()
            self._recent.append(stops)

    def at_least(self, bound: float, *, reach: float) -> None:
        """Take in that the level lies above ``bound``."""
        if self.stops is None or self.stops < bound:
            self._pass(bound, bound + reach)

    def at_most(self, bound: float, *, reach: float) -> None:
        """Take in that the level lies below ``bound``."""
        if self.stops is None or self.stops > bound:
            self._pass(bound, bound - reach)

    def _pass(self, bound: float, guess: float) -> None:
        """Go beyond a bound that the level was not thought to lie beyond, if a second picture agrees."""
        share = _NEAR_REACH if self._is_near(bound) else 1.0
        if self._may_jump():
            self._recent.clear()
            self._guess = bound + share * (guess - bound)

    def _is_near(self, stops: float) -> bool:
        """Within what flicker explains."""
        return bool(self._recent) and abs(stops - sum(self._recent) / len(self._recent)) <= _JUMP_STOPS

    def _may_jump(self) -> bool:
        """False for the first picture that contradicts the average: one alone may be a mistake."""
        self._doubted = bool(self._recent) and not self._doubted
        return not self._doubted
