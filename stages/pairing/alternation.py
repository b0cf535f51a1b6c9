"""Whether a stream alternates between two exposures, found from the shifts between consecutive frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from stages.pairing.comparison import Shift, shift_of_brightness
from stages.pairing.signature import Signature

_TOLERANCE_STOPS = 0.4
_TOLERANCE = 0.2
"""By how many stops, or by what share of it, a step up or down may differ from the usual one."""
_MOST = 0.8
"""The share of the frames that a description must fit."""
_NEED = "lumabraid needs alternating short and long exposures"


def alternation_ratio(shifts: Sequence[Shift], *, min_ratio_stops: float, exceptions: int = 0) -> float | None:
    """The ratio of exposures in stops when the shifts go up and down by equal steps, else None.

    Args:
        shifts: from each frame to the next.
        min_ratio_stops: smaller steps are flicker.
        exceptions: how many steps may break the pattern, as a dropped or doubled frame or a cut does.
    """
    sizes = [abs(shift.stops) for shift in shifts]
    ratio = float(np.median([size for size in sizes if size >= min_ratio_stops] or [0.0]))
    tolerance = max(_TOLERANCE_STOPS, _TOLERANCE * ratio)
    regular = [size >= min_ratio_stops and abs(size - ratio) <= tolerance for size in sizes]
    if not any(regular) or regular.count(False) > exceptions:
        return None
    for (before, before_regular), (after, after_regular) in pairwise(zip(shifts, regular, strict=True)):
        if before_regular and after_regular and before.stops * after.stops > 0:
            return None
    return ratio


def describe_refusal(signatures: Sequence[Signature], min_ratio_stops: float) -> str:
    """One line for the user: what these frames do instead of alternating, and what is needed."""
    if len(signatures) < 2:
        return f"a single frame has no partner; {_NEED}, two frames at least"
    steps = [shift_of_brightness(a, b) for a, b in pairwise(signatures)]
    sizes = [abs(step.stops) for step in steps]
    if float(np.quantile(sizes, _MOST)) < min_ratio_stops:
        if not any(step.is_exact for step in steps):
            return f"the frames are all black or all white, so exposures cannot be told apart; {_NEED}"
        return f"brightness differs by only {np.median(sizes):.1f} stops between consecutive frames; {_NEED}"
    for period, name in ((3, "three"), (4, "four"), (5, "five")):
        levels = _rotating_levels(signatures, period, min_ratio_stops)
        if levels is not None:
            listed = " / ".join(f"{level:+.1f}" for level in levels)
            return f"{name} exposures in rotation, about {listed} stops; {_NEED}, two levels only"
    low, high = min(step.stops for step in steps), max(step.stops for step in steps)
    return f"brightness jumps between {low:+.1f} and {high:+.1f} stops from frame to frame without alternating; {_NEED}"


def describe_lone_frames(max_distance: int) -> str:
    """One line for the user: the exposures alternate, and yet no frame found a partner."""
    return f"no two frames of both exposures, {max_distance} frames apart at most, show the same scene; {_NEED} of it"


def _rotating_levels(signatures: Sequence[Signature], period: int, min_ratio_stops: float) -> list[float] | None:
    """Exposures in stops around their median, ascending, if as many different ones return every ``period`` frames."""
    if len(signatures) < 2 * period:
        return None
    repeats = [abs(shift_of_brightness(a, b).stops) for a, b in zip(signatures, signatures[period:], strict=False)]
    if float(np.quantile(repeats, _MOST)) > min_ratio_stops / 2:
        return None
    levels = sorted(
        float(np.median([shift_of_brightness(signatures[0], other).stops for other in signatures[phase::period]]))
        for phase in range(period)
    )
    if min(np.diff(levels)) < min_ratio_stops / 2:
        return None
    return [level - float(np.median(levels)) for level in levels]
