"""Which frames are under and which over, while the light and both exposures may change.

From one frame to the next brightness goes up by the ratio (under to over), down by it, or stays (a frame was lost, or
the camera was late). The likeliest history is kept for either role of the latest frame (Viterbi's algorithm), so that a
frame that switched light made look like the other exposure is put right by the frames after it. Where the camera tells
the exposure, no light confuses it: a frame is then of the role whose latest exposure is nearer to its own. Costs are
negative logarithms of likelihoods.
"""

from __future__ import annotations

from typing import NamedTuple

from stages.pairing.comparison import Shift
from stages.pairing.seen import Seen

_REPEAT = 3.0
"""Two frames of one exposure in a row: one in twenty."""
_SURPRISE = 7.0
"""Any step may be the light's: one in a thousand."""
_UNLIKE = 2.0
"""A frame that looks like neither exposure as last seen; little, for the step says most of this already."""
_UNLIKE_FOR_CERTAIN = 4.0
"""The same where hardly anything is well exposed in both, and yet they differ."""
_AGAINST = 2.0
"""A step whose size cannot be measured, in the wrong direction."""
_SPREAD = 0.2
"""Standard deviation of measured steps, as a share of the ratio ..."""
_LEAST_SPREAD_STOPS = 0.3
"""... and at least: lamps flicker."""


class _History(NamedTuple):
    """One way to see the frames so far."""

    cost: float
    latest: dict[bool, Seen]
    """The latest under frame (True) and the latest over frame (False)."""


class Roles:
    """Sorts the frames of one scene, one by one."""

    def __init__(self, previous: Seen, latest: Seen, *, latest_is_under: bool, by_metadata: bool) -> None:
        """Begin with two frames whose exposures differ."""
        self._by_metadata = by_metadata
        self._previous = latest
        certain = _History(0.0, {latest_is_under: latest, not latest_is_under: previous})
        self._histories = {latest_is_under: certain, not latest_is_under: certain._replace(cost=_SURPRISE)}

    def follow(self, seen: Seen, ratio_stops: float) -> bool:
        """Whether the next frame is under, where exposures lie about so many stops apart."""
        spread = max(_SPREAD * ratio_stops, _LEAST_SPREAD_STOPS)
        histories = {}
        for is_under in (True, False):
            choices = []
            for was_under, (cost, latest) in self._histories.items():
                unlike = latest[is_under].shift_to(seen, by_metadata=self._by_metadata)
                if seen.is_told(by_metadata=self._by_metadata):
                    cost += (unlike.stops / spread) ** 2 / 2
                else:
                    step = self._previous.shift_to(seen, by_metadata=self._by_metadata)
                    cost += _step_cost(step, ratio_stops * (was_under - is_under), spread)
                    cost += min((unlike.stops / spread) ** 2 / 2, _UNLIKE if unlike.is_exact else _UNLIKE_FOR_CERTAIN)
                choices.append(_History(cost, {is_under: seen, not is_under: latest[not is_under]}))
            histories[is_under] = min(choices, key=lambda history: history.cost)
        self._previous = seen
        least = min(history.cost for history in histories.values())
        self._histories = {role: history._replace(cost=history.cost - least) for role, history in histories.items()}
        return self._histories[True].cost < self._histories[False].cost


def _step_cost(step: Shift, expected_stops: float, spread_stops: float) -> float:
    """Of a measured step where another was expected."""
    repeat = _REPEAT if expected_stops == 0 else 0.0
    if step.is_exact:
        return repeat + min(((step.stops - expected_stops) / spread_stops) ** 2 / 2, _SURPRISE)
    return repeat + (_AGAINST if step.stops * expected_stops < -spread_stops else 0.0)
