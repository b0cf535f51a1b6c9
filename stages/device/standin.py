"""A device queue without a device: the same work on the CPU, for tests and for rehearsing benchmarks.

Nothing is done before somebody waits for it, and then only what that needs: work that does not wait for what it depends
on, and a buffer filled again too early, show in the pictures. What was done, in which order, is written down.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

import torch
from torch import Tensor

from stages.device.queue import LANES, Arguments, Lane, Mark, Network, Result, Work


@dataclass(slots=True)
class _LaneState:
    """What a lane still has to do: work, and the points it must not go beyond before others are passed."""

    waiting: deque[Callable[[], None]]
    given: int = 0
    done: int = 0


class StandInQueue:
    """Lanes on a CPU, worked through as late as possible.

    Args:
        cannot_capture: why ``capture`` fails; None where it works.
    """

    def __init__(self, *, cannot_capture: str | None = None) -> None:
        self.done: list[Lane] = []
        """The lanes whose work was done, in that order."""
        self.made: Counter[str] = Counter()
        """How many buffers, marks and captures were asked for, by kind."""
        self._cannot_capture = cannot_capture
        self._lanes = {lane: _LaneState(deque()) for lane in LANES}
        # Whoever waits for a picture of another thread's queue does its work here.
        self._busy = RLock()

    @property
    def pending(self) -> int:
        """Steps not done yet, of all lanes."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def host_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """Ordinary memory."""
        self.made["host buffer"] += 1
        return torch.zeros(count, dtype=dtype)

    def device_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """Ordinary memory."""
        self.made["device buffer"] += 1
        return torch.zeros(count, dtype=dtype)

    def place(self, network: Network) -> Network:
        """The network stays where it is."""
        return network

    def join(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """The function itself."""
        self.made["join"] += 1
        return function

    def mark(self) -> Mark:
        """A point in a lane's queue."""
        self.made["mark"] += 1
        return _Point(self)

    def run(self, lane: Lane, work: Work) -> None:
        """Keep the work for later."""

        def step() -> None:
            with torch.inference_mode():
                work()
            self.done.append(lane)

        self._give(lane, step)

    def capture(self, work: Work) -> Work:
        """The work itself."""
        self.made["capture"] += 1
        if self._cannot_capture is not None:
            raise RuntimeError(self._cannot_capture)
        return work

    def hold(self, lane: Lane, mark: Mark) -> None:
        """Let a lane go on only when a mark, of this queue or another, is passed."""
        self._give(lane, mark.wait)

    def finish(self) -> None:
        """Do everything, also what comes after work that fails; the first failure is raised then."""
        failures: list[Exception] = []
        while self.pending:
            try:
                for lane, state in self._lanes.items():
                    self.advance(lane, state.given)
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def position(self, lane: Lane) -> int:
        """How many steps the lane was given so far."""
        return self._lanes[lane].given

    def advance(self, lane: Lane, position: int) -> None:
        """Do a lane's steps up to a position, and before them what they wait for."""
        state = self._lanes[lane]
        with self._busy:
            while state.done < position:
                step = state.waiting.popleft()
                state.done += 1
                step()

    def _give(self, lane: Lane, step: Callable[[], None]) -> None:
        state = self._lanes[lane]
        with self._busy:
            state.waiting.append(step)
            state.given += 1


class _Point:
    """A mark of the stand-in."""

    def __init__(self, queue: StandInQueue, at: tuple[Lane, int] | None = None) -> None:
        self._queue = queue
        self._at = at

    def put(self, lane: Lane) -> None:
        """Remember how much the lane was given."""
        self._at = (lane, self._queue.position(lane))

    def hold(self, lane: Lane) -> None:
        """Let the lane catch up with that first."""
        self._queue.hold(lane, _Point(self._queue, self._at))

    def wait(self) -> None:
        """Do the work up to it."""
        if self._at is not None:
            self._queue.advance(*self._at)
