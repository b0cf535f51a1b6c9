"""Which command a picture shows: found from its brightness, never from the order of things.

Between two pictures brightness changes as the exposures behind them did, unless the light changed as well. For every
lag, the time between a command and the picture that shows it, the best history that leads there is kept (Viterbi's
algorithm): it pays for brightness that its exposures do not explain, and for every change of the lag. The lag is
counted in frame intervals, lost frames included, so that it stays when time stamps tell of a loss; where they do
not, a lost frame shortens it for a while. Where pictures only came late, the lag stays as counted in commands, which
costs less than a change. Switched light costs every history the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from stages.capture.exposure.metering import Floats, Shift

LONGEST_LAG = 12
"""Frame intervals; no camera known takes longer."""

_SPREAD = 0.2
"""Standard deviation of a step of brightness, as a share of the step of exposure: cameras have their own curves ..."""
_LEAST_SPREAD_STOPS = 0.3
"""... and at least: lamps flicker."""
_SURPRISE = 7.0
"""Any step may be the light's, once in a thousand frames; costs are negative logarithms of likelihoods."""
_AGAINST = 2.0
"""A step in the wrong direction where its size cannot be measured."""
_UNKNOWN = 3.0
"""A lag that points to commands not yet given."""
_SLIP = 3.0
"""A lag that changes by a frame: once in twenty frames, or as seldom as the latest pictures had an unusual lag."""
_LATE = 3.0
"""Time stamps tell of lost frames, and yet the pictures only came late: the lag in commands stays instead."""
_OFF_USUAL = 0.4
"""Each frame between the lag and the usual one."""
_MEMORY = 1 / 12
"""Share of the latest frame in what is remembered of a history."""


class LagTracker:
    """Follows the lag from frame to frame."""

    def __init__(self) -> None:
        self._lags = np.arange(LONGEST_LAG + 1)
        self._cost = np.zeros(self._lags.size)
        self._paid = np.full(self._lags.size, _UNKNOWN)
        self._without = 0.0
        self._visits = np.zeros((self._lags.size, self._lags.size))
        self._is_given = deque([True] * self._lags.size, maxlen=self._lags.size)
        """Whether a command was given at a frame interval, the latest first; if not, the one before it stood."""
        self._ages = self._lags
        """How many commands were given after the one that stood at each interval."""
        self._before: Floats | None = None
        self._usual: int | None = None

    @property
    def lag(self) -> int:
        """Of the latest picture: 0 when it shows the command given just before it was read."""
        return int(np.argmin(self._cost))

    @property
    def usual_lag(self) -> int:
        """The lag of most of the latest pictures: the camera's, without frames lost on the way."""
        return int(np.argmax(self._visits[self.lag]))

    @property
    def cost(self) -> float:
        """How badly the commands explain the latest pictures: 0 is perfectly, mean over some frames."""
        return float(self._paid[self.lag])

    @property
    def cost_without(self) -> float:
        """The same for a camera that heeds no commands."""
        return self._without

    @property
    def steadiness(self) -> float:
        """Share of the latest pictures that had the usual lag."""
        return float(self._visits[self.lag].max())

    def settle(self) -> None:
        """From here on keep near the lag found: commands that only alternate cannot tell it from one two longer."""
        self._usual = self.usual_lag
        self._cost[(self._lags < self._usual - 3) | (self._lags > self._usual + 1)] = np.inf

    def follow(self, shift: Shift | None, commands: Sequence[float], *, lost_frames: int = 0) -> None:
        """Take in the next picture.

        Args:
            shift: of brightness, from the picture before; None for the first.
            commands: exposures in stops, the one that stood at each frame interval, this picture's last.
            lost_frames: missing before this picture by its time stamp: so long had the command before it stood as well.
        """
        now = np.full(self._lags.size, np.nan)
        given = min(len(commands), now.size)
        now[:given] = list(commands)[: -given - 1 : -1]
        self._is_given.extendleft([True] + [False] * lost_frames)
        ages_before, ages = self._ages, np.cumsum(self._is_given) - self._is_given
        self._ages = ages
        before, self._before = self._before, now
        if shift is None or before is None:
            return
        in_time = np.abs(self._lags[None, :] - self._lags[:, None])
        in_commands = np.abs(ages[None, :] - ages_before[:, None])
        slip = np.minimum(_SLIP * in_time, _LATE + _SLIP * in_commands)
        price = slip + _surprise(shift, now[None, :] - before[:, None])
        rarity = min(-math.log(max(1 - self.steadiness, 1e-9)), _SURPRISE)
        total = self._cost[:, None] + price + max(rarity - _SLIP, 0.0) * np.minimum(in_time, in_commands)
        origin = np.argmin(total, axis=0)
        self._paid = (1 - _MEMORY) * self._paid[origin] + _MEMORY * price[origin, self._lags]
        self._without = (1 - _MEMORY) * self._without + _MEMORY * float(_surprise(shift, np.zeros(1))[0])
        self._visits = (1 - _MEMORY) * self._visits[origin] + _MEMORY * np.eye(self._lags.size)
        self._cost = total[origin, self._lags]
        if self._usual is not None:
            self._cost += _OFF_USUAL * np.minimum(np.abs(self._lags - self._usual), np.abs(ages - self._usual))
            self._cost[(self._lags < self._usual - 3) | (ages > self._usual + 1)] = np.inf
        self._cost -= self._cost.min()


def _surprise(shift: Shift, commanded: Floats) -> Floats:
    """Cost of a step of brightness for each step of exposure that may lie behind it; same shape as ``commanded``."""
    if shift.is_exact:
        spread = np.maximum(_SPREAD * np.abs(commanded), _LEAST_SPREAD_STOPS)
        cost = np.minimum(((shift.stops - commanded) / spread) ** 2 / 2, _SURPRISE)
    else:
        is_against = (abs(shift.stops) > _LEAST_SPREAD_STOPS) & (commanded * np.sign(shift.stops) < _LEAST_SPREAD_STOPS)
        cost = np.where(is_against, _AGAINST, 0.0)
    known: Floats = np.where(np.isnan(commanded), _UNKNOWN, cost)
    return known
