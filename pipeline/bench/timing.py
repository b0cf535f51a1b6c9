"""Times contenders in turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_MOST_ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to be timed."""

    run: Callable[[], int]
    """Does its work once; returns for how many frames that was."""
    warm_up: Callable[[], object] | None = None
    """Called once before; None: ``run``."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians of all rounds."""

    wall_ms: float
    """A frame, by the clock."""
    cpu_ms: float
    """A frame, of all the process's threads together: hardly touched by other programs."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Of contenders that ran in turns."""

    by_name: Mapping[str, Timing]
    rounds: int


def in_turns(contenders: Mapping[str, Contender], *, seconds: float, rounds: int | None) -> Timings:
    """Warm each up, then let all run one after the other, again and again.

    Args:
        contenders: by name.
        seconds: for so long, and for one round at least, unless ``rounds`` is given.
        rounds: exactly so many.
    """
    for contender in contenders.values():
        (contender.warm_up or contender.run)()
    taken: dict[str, list[Timing]] = {name: [] for name in contenders}
    begin_s, done = time.perf_counter(), 0
    while done < (rounds or _MOST_ROUNDS):
        for name, contender in contenders.items():
            taken[name].append(_timed(contender))
        done += 1
        if rounds is None and time.perf_counter() - begin_s >= seconds:
            break
    medians = {
        name: Timing(
            statistics.median(timing.wall_ms for timing in timings),
            statistics.median(timing.cpu_ms for timing in timings),
        )
        for name, timings in taken.items()
    }
    return Timings(medians, done)


def _timed(contender: Contender) -> Timing:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    frames = contender.run()
    return Timing((time.perf_counter() - wall_s) * 1e3 / frames, (time.process_time() - cpu_s) * 1e3 / frames)
