"""Finds out by trying whether a camera obeys, and after how many frames."""

from __future__ import annotations

from enum import Enum

from stages.capture.exposure.lag import LagTracker
from stages.capture.exposure.limits import Limits
from stages.capture.exposure.metering import Reading

_CODE = "1010111011000111110011010010000"
"""A maximal-length sequence: it agrees with a delayed copy of itself no more often than chance does."""
_PROOF_FRAMES = 8
_PROOF_COST = 1.5
_PROOF_SHARE = 0.5
_PROOF_STEADINESS = 0.4
"""A camera obeys when after so many frames that could tell its commands explain the pictures so well, by such a share
better than no commands, with a lag that such a share of the frames had."""
_PATIENCE_FRAMES = 32
"""Frames that could tell, after which a camera does not obey: longest lag and proof, and some lost on the way."""
_LOST_SHARE = 0.9
"""Share of a picture that is black or clipped from which it tells nothing."""
_SWEEP_STOPS = 0.5
"""The middle moves by this much a frame while pictures tell nothing."""


class Verdict(Enum):
    """What a trial found."""

    OPEN = "open"
    OBEYS = "obeys"
    IGNORES = "ignores"


class Probe:
    """A trial: a sequence of two exposures that no camera would choose by itself."""

    def __init__(self, limits: Limits, *, under: float, over: float) -> None:
        """Begin with a pair of exposures, in stops."""
        self.tracker = LagTracker()
        self.verdict = Verdict.OPEN
        self._limits = limits
        self._half = (over - under) / 2
        self._middle = (over + under) / 2
        self._commands = 0
        self._telling = 0

    @property
    def under(self) -> float:
        """The lower of the two exposures at this moment, in stops."""
        return self._middle - self._half

    @property
    def over(self) -> float:
        """The higher one."""
        return self._middle + self._half

    def next_is_under(self) -> bool:
        """The next command."""
        self._commands += 1
        return _CODE[(self._commands - 1) % len(_CODE)] == "0"

    def see(self, reading: Reading) -> None:
        """Judge after a picture that ``tracker`` has followed; looks for light where there is none to see."""
        if reading.clipped_share > _LOST_SHARE:
            self._middle = max(self._middle - _SWEEP_STOPS, self._limits.lowest + self._half)
        elif reading.black_share > _LOST_SHARE:
            self._middle = min(self._middle + _SWEEP_STOPS, self._limits.highest - self._half)
        else:
            self._telling += 1
        tracker = self.tracker
        allowed = min(_PROOF_COST, _PROOF_SHARE * tracker.cost_without)
        is_proved = tracker.cost < allowed and tracker.steadiness > _PROOF_STEADINESS
        if self._telling >= _PROOF_FRAMES and is_proved:
            self.verdict = Verdict.OBEYS
        elif self._telling >= _PATIENCE_FRAMES:
            self.verdict = Verdict.IGNORES
