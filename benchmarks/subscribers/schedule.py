"""Who comes and goes when: blocks with one reader alternate with blocks in which seven more are there."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.subscribers.reader import Manner

KEEPER: Final = "every"
"""The reader that is there all the time."""
SLOW: Final = "slow"
DEAD: Final = "dead"
STUCK: Final = "stuck"
LATE: Final = "late"
WANDERERS: Final = ("wanderer 1", "wanderer 2")

READERS: Final[Mapping[str, Manner]] = {
    KEEPER: Manner(policy="every"),
    "latest": Manner(),
    SLOW: Manner(work_s=0.2),
    LATE: Manner(),
    STUCK: Manner(),
    DEAD: Manner(report_every=5),
    **dict.fromkeys(WANDERERS, Manner()),
}

_PAIR_S = 30.0
"""About as long is a block of each kind together: over tcp a stuck reader is cut off after ten seconds."""
_SETTLING = 0.15
"""Part of each block that is not measured: readers come and go, and say what they saw."""

Deed = Literal["turn", "stop", "carry on", "kill", "start"]


@dataclass(frozen=True, order=True)
class Event:
    """Something done to a reader; ``turn`` makes it subscribe or leave."""

    at_s: float
    reader: str
    deed: Deed


@dataclass(frozen=True)
class Block:
    """A stretch of time that is measured."""

    begin_s: float
    end_s: float
    crowded: bool


@dataclass(frozen=True)
class Schedule:
    """Times count from the beginning of the first block."""

    events: Sequence[Event]
    """In order."""
    blocks: Sequence[Block]
    """One reader, all readers, one reader, ..."""
    seconds: float

    def subscriptions(self, reader: str) -> int:
        """How often a reader subscribes. All leave again, but the dead one, and the keeper before the first block."""
        turns = sum(event.reader == reader and event.deed == "turn" for event in self.events)
        return {DEAD: turns, KEEPER: 1}.get(reader, turns // 2)


def make_schedule(seconds: float, seed: int) -> Schedule:
    """The schedule of a run: always the same for the same arguments."""
    rng = random.Random(seed)
    pairs = max(1, round(seconds / _PAIR_S))
    block_s = seconds / (2 * pairs)
    events: list[Event] = []
    blocks: list[Block] = []
    for number in range(2 * pairs):
        begin_s, end_s = number * block_s, (number + 1) * block_s
        crowded = bool(number % 2)
        blocks.append(Block(begin_s + _SETTLING * block_s, end_s, crowded))
        if crowded:
            events += _crowd(begin_s, end_s, rng)
        elif number:
            events.append(Event(begin_s, DEAD, "start"))
    return Schedule(sorted(events), blocks, seconds)


def _crowd(begin_s: float, end_s: float, rng: random.Random) -> list[Event]:
    """All that happens in one crowded block."""
    length_s = end_s - begin_s
    middle_s = begin_s + length_s / 2
    events = [Event(begin_s, reader, "turn") for reader in ("latest", SLOW, STUCK, DEAD)]
    events += [Event(end_s, reader, "turn") for reader in ("latest", SLOW, STUCK, LATE)]
    events.append(Event(middle_s, LATE, "turn"))
    events.append(Event(middle_s, DEAD, "kill"))
    events.append(Event(begin_s + 0.1 * length_s, STUCK, "stop"))
    events.append(Event(begin_s + 0.9 * length_s, STUCK, "carry on"))
    for reader in WANDERERS:
        at_s = begin_s
        turns = 0
        while (at_s := at_s + length_s * rng.uniform(0.02, 0.15)) < end_s:
            events.append(Event(at_s, reader, "turn"))
            turns += 1
        if turns % 2:
            events.append(Event(end_s, reader, "turn"))
    return events
