"""One scene of an alternating stream: which frame is under, which over, and who is whose neighbour."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stages.frame import ExposurePair, Frame
from stages.pairing.comparison import Shift, dissimilarity, shift_of_brightness, shift_of_metadata
from stages.pairing.roles import Roles
from stages.pairing.seen import Seen
from stages.stage import Dropped

# Found on views of 38 radiance maps at 1.5 to 6 stops: in pans of up to 4 degrees a frame 95 of 100 frames stay
# under 0.2, and 98 of 100 cuts between unrelated views exceed 0.25.
_CUT = 0.2
_CUT_IN_MOTION = 2.0
"""A frame opens a new scene when its dissimilarity exceeds _CUT + _CUT_IN_MOTION * the usual one."""
_CUT_AT_START = 0.4
"""In place of _CUT for a scene's second frame, which can only be compared across exposures."""
_NO_CUT = 0.06
"""Dissimilarity across exposures that proves that the scene goes on."""
_UNKNOWN_SHIFT_STOPS = 2.5
"""Taken for a shift that cannot be measured."""
_RATIO_WINDOW = 12
"""Frames that the ratio is averaged over."""
_RATIO_JUMP_STOPS = 0.5
"""A single measurement counts as no farther than this from the average."""
_LEAST_RATIO_STOPS = 0.1


@dataclass(slots=True)
class Ratio:
    """The exposure ratio of the stream: a running average that forgets, and that outliers cannot pull far."""

    stops: float

    def update(self, measured_stops: float) -> None:
        """Take in one measurement."""
        step = float(np.clip(measured_stops - self.stops, -_RATIO_JUMP_STOPS, _RATIO_JUMP_STOPS))
        self.stops = max(self.stops + step / _RATIO_WINDOW, _LEAST_RATIO_STOPS)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame whose exposure is known and whose neighbour is not yet decided."""

    frame: Frame
    is_under: bool
    past: Frame | None
    future: Frame | None = None


class Scene:
    """Takes the frames of one scene in order; keeps as many as ``max_distance`` asks for, and no more.

    A frame is under or over by its likeness to the frames before it; see ``Roles``. Where neither the camera nor the
    pictures tell (all black, all white), exposures are taken to alternate.
    """

    def __init__(self, ratio: Ratio, *, max_distance: int, by_metadata: bool, last_under: int | None) -> None:
        """Begin a scene.

        Args:
            ratio: the stream's, updated by this scene.
            max_distance: how many frames away a neighbour may be.
            by_metadata: exposures are known from metadata where a frame carries it.
            last_under: index of an under frame of the scene before, None for the first scene.
        """
        self._ratio = ratio
        self._max_distance = max_distance
        self._by_metadata = by_metadata
        self._last_under = last_under
        self._unsorted: deque[Seen] = deque()
        self._latest: dict[bool, Seen] = {}
        self._roles: Roles | None = None
        self._waiting: deque[_Waiting] = deque()
        self._motion = 0.0

    @property
    def last_under(self) -> int | None:
        """Index of an under frame: the next scene's guess at its parity."""
        return self._latest[True].frame.index if True in self._latest else self._last_under

    def holds(self, seen: Seen) -> bool:
        """False when the frame must begin another scene: after a cut, in another format, or with exposures lost."""
        known = [*self._latest.values(), *self._unsorted]
        if not known:
            return True
        if not seen.matches(known[0]):
            return False
        shifts = [shift_of_brightness(other.signature, seen.signature) for other in known]
        if self._latest and self._is_lost(seen, shifts):
            return False
        # The frame most like it in exposure shows most in common with it ...
        likest = int(np.argmin([abs(shift.stops) for shift in shifts]))
        if seen.is_told(by_metadata=self._by_metadata) and not shifts[likest].is_exact:
            # A black or white picture shows no cut, and exposures need not be told anew.
            return True
        difference = self._difference(known[likest], seen, shifts[likest])
        if difference > (_CUT if self._latest else _CUT_AT_START) + _CUT_IN_MOTION * self._motion:
            # ... but in a fast pan the one just before it may have moved less.
            latest = int(np.argmax([other.frame.index for other in known]))
            if latest == likest or not shifts[latest].is_exact:
                return False
            return self._difference(known[latest], seen, shifts[latest]) < _NO_CUT
        self._motion += (difference - self._motion) / 4
        return True

    def _is_lost(self, seen: Seen, shifts: list[Shift]) -> bool:
        """Whether under and over are better told anew: one was not seen for long, or the dark made them alike.

        Where the camera tells them, only a pause that no pair can bridge counts.
        """
        under, over = self._latest[True], self._latest[False]
        if seen.is_told(by_metadata=self._by_metadata):
            return seen.frame.index - max(under.frame.index, over.frame.index) > self._max_distance
        if seen.frame.index - min(under.frame.index, over.frame.index) > self._max_distance + 1:
            return True
        alike = self._ratio.stops / 4
        apart = under.shift_to(over, by_metadata=self._by_metadata)
        return abs(apart.stops) < alike < min(abs(shift.stops) for shift in shifts)

    def _difference(self, known: Seen, seen: Seen, shift: Shift) -> float:
        """How different the content is, whatever the exposures."""
        stops = shift.stops
        if not shift.is_exact:
            # Only what would be visible after the largest likely shift may count as different.
            stops = float(np.copysign(max(abs(stops), self._ratio.stops, _UNKNOWN_SHIFT_STOPS), stops))
        return dissimilarity(known.signature, seen.signature, stops)

    def add(self, seen: Seen) -> Iterator[ExposurePair | Dropped]:
        """The pairs that can be made now that this frame is here."""
        if self._roles is not None:
            self._sort_in(seen, is_under=self._roles.follow(seen, self._ratio.stops))
        else:
            self._begin(seen)
            while len(self._unsorted) > self._max_distance:
                yield self._without_partner(self._unsorted.popleft().frame)
        yield from self._decided(seen.frame.index + 1)

    def end(self) -> Iterator[ExposurePair | Dropped]:
        """The pairs of the frames still held: no frame follows in this scene."""
        yield from self._decided(None)
        while self._unsorted:
            yield self._without_partner(self._unsorted.popleft().frame)

    def _begin(self, seen: Seen) -> None:
        """Hold the scene's first frames until one differs enough to tell under from over."""
        if self._unsorted:
            first = self._unsorted[-1]
            shift = first.shift_to(seen, by_metadata=self._by_metadata)
            is_clear = abs(shift.stops) > self._ratio.stops / 2
            if is_clear or not shift.is_exact:
                first_is_under = shift.stops > 0 if is_clear else self._expected_under(first)
                for held in self._unsorted:
                    self._sort_in(held, is_under=first_is_under)
                self._unsorted.clear()
                self._sort_in(seen, is_under=not first_is_under)
                self._roles = Roles(first, seen, latest_is_under=not first_is_under, by_metadata=self._by_metadata)
                return
        self._unsorted.append(seen)

    def _expected_under(self, seen: Seen) -> bool:
        """By alternation alone."""
        return self._last_under is None or (seen.frame.index - self._last_under) % 2 == 0

    def _sort_in(self, seen: Seen, *, is_under: bool) -> None:
        """Remember the frame under its exposure and offer it to those that wait for a neighbour."""
        other = self._latest.get(not is_under)
        if other is not None:
            shift = other.shift_to(seen, by_metadata=self._by_metadata)
            if shift.is_exact and seen.frame.index - other.frame.index == 1:
                self._ratio.update(-shift.stops if is_under else shift.stops)
        for waiting in self._waiting:
            if waiting.future is None and waiting.is_under != is_under:
                waiting.future = seen.frame
        self._waiting.append(_Waiting(seen.frame, is_under, other.frame if other else None))
        self._latest[is_under] = seen

    def _decided(self, next_index: int | None) -> Iterator[ExposurePair | Dropped]:
        """Give out waiting frames, in order, as long as nothing still to come could be nearer."""
        while self._waiting:
            waiting = self._waiting[0]
            index = waiting.frame.index
            past_distance = index - waiting.past.index if waiting.past else self._max_distance + 1
            nearest_to_come = next_index - index if next_index is not None else self._max_distance + 1
            if waiting.future is None and nearest_to_come < min(past_distance, self._max_distance + 1):
                return
            self._waiting.popleft()
            neighbour, distance = waiting.past, past_distance
            if waiting.future is not None and waiting.future.index - index < past_distance:
                neighbour, distance = waiting.future, waiting.future.index - index
            if neighbour is None or distance > self._max_distance:
                yield self._without_partner(waiting.frame)
            else:
                yield self._pair(waiting.frame, neighbour, reference_is_under=waiting.is_under)

    def _pair(self, reference: Frame, neighbour: Frame, *, reference_is_under: bool) -> ExposurePair:
        stops = self._ratio.stops
        if self._by_metadata and reference.exposure is not None and neighbour.exposure is not None:
            stops = max(abs(shift_of_metadata(reference.exposure, neighbour.exposure).stops), _LEAST_RATIO_STOPS)
        return ExposurePair(reference, neighbour, reference_is_under, stops)

    def _without_partner(self, frame: Frame) -> Dropped:
        return Dropped(frame.index, f"no frame of the other exposure within {self._max_distance} frames of its scene")
