"""Players that do as they are told, and a rig that runs them with a bounded wait and leaves no thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.runner import Runner
from stages.errors import LumabraidError
from stages.frame import Frame, Planes, StreamInfo
from stages.stage import Done, Dropped, Source, Stage

PATIENCE_S = 20.0
"""Far more than anything here needs, far less than a deadlock takes."""

Behaviour = Callable[[int | None], None]
"""Called at the start of a step with the frame's index, None outside read and process."""

PLANES = Planes(np.zeros((2, 2), np.uint8), np.zeros((2, 1, 1), np.uint8))


class FakeSource(Source):
    def __init__(self, rig: Rig, count: int | None) -> None:
        self.rig, self.count, self.index = rig, count, 0

    def open(self) -> StreamInfo:
        self.rig.enter("capture", "open")
        return StreamInfo(2, 2, 8, Fraction(1, 25), name="opened by capture")

    def read(self) -> Frame | None:
        self.rig.enter("capture", "read", self.index)
        if self.index == self.count:
            return None
        self.index += 1
        return Frame(self.index - 1, PLANES, pts=self.index - 1, time_base=Fraction(1, 25))

    def interrupt(self) -> None:
        self.rig.interrupt()

    def close(self) -> None:
        self.rig.enter("capture", "close")


class FakeStage(Stage[Any, Any]):
    """Passes frames on ``rig.delay`` items late, so that the last ones only come with flush; a sink says Done."""

    def __init__(self, rig: Rig, name: str, *, is_sink: bool) -> None:
        self.rig, self.name, self.is_sink = rig, name, is_sink
        self.held: list[Any] = []
        self.infos: list[StreamInfo] = []

    def open(self, info: StreamInfo) -> StreamInfo:
        self.infos.append(info)
        self.rig.enter(self.name, "open")
        return StreamInfo(2, 2, 8, Fraction(1, 25), name=f"opened by {self.name}")

    def process(self, item: Any) -> Iterable[Any]:
        self.rig.enter(self.name, "process", item.index)
        if item.index in self.rig.drop_at.get(self.name, ()):
            yield Dropped(item.index, "told to")
            return
        self.held.append(item)
        if len(self.held) > self.rig.delay:
            yield self.output(self.held.pop(0))

    def flush(self) -> Iterable[Any]:
        self.rig.enter(self.name, "flush")
        while self.held:
            yield self.output(self.held.pop(0))

    def close(self) -> None:
        self.rig.enter(self.name, "close")

    def output(self, item: Any) -> Any:
        if not self.is_sink:
            return item
        self.rig.sunk.append(item.index)
        return Done(item.index)


class Outcome:
    """How a run ended."""

    def __init__(self, runner: Runner, error: BaseException | None) -> None:
        self.error = error
        self.report = runner.report()


class Rig:
    """A pipeline capture -> pairing -> fusion -> encoding of fakes."""

    def __init__(self) -> None:
        self.behaviours: dict[tuple[str, str], Behaviour] = {}
        self.drop_at: dict[str, set[int]] = {}
        self.delay = 1
        self.steps: list[tuple[str, str, str]] = []
        """(stage, step, name of the thread) in the order of their beginning."""
        self.sunk: list[int] = []
        self.hanging = threading.Event()
        self.released = threading.Event()
        self.interrupt: Callable[[], object] = lambda: None
        """What the source does when it is interrupted."""
        self.runner: Runner | None = None
        self.fakes: dict[str, FakeStage] = {}
        self._outcome: Outcome | None = None
        self._thread: threading.Thread | None = None

    def enter(self, stage: str, step: str, index: int | None = None) -> None:
        self.steps.append((stage, step, threading.current_thread().name))
        self.behaviours.get((stage, step), lambda _: None)(index)

    def steps_of(self, stage: str) -> list[str]:
        return [step for name, step, _ in self.steps if name == stage]

    def hang(self, _: int | None = None) -> None:
        """A behaviour: do not come back before the test is over."""
        self.hanging.set()
        self.released.wait()

    def build(self, *, count: int | None = 8, **options: Any) -> Runner:
        names = ["pairing", "fusion", "encoding"]
        self.fakes = {name: FakeStage(self, name, is_sink=name == names[-1]) for name in names}
        self.runner = Runner(FakeSource(self, count), list(self.fakes.items()), **options)
        return self.runner

    def start(self, **options: Any) -> Runner:
        """Build and run in a thread of its own."""
        runner = self.build(**options)

        def target() -> None:
            try:
                runner.run()
            except BaseException as error:
                self._outcome = Outcome(runner, error)
            else:
                self._outcome = Outcome(runner, None)

        self._thread = threading.Thread(target=target, name="caller", daemon=True)
        self._thread.start()
        return runner

    def outcome(self) -> Outcome:
        """Wait for the end of what ``start`` started."""
        assert self._thread is not None
        self._thread.join(PATIENCE_S)
        assert self._outcome is not None, f"the run did not end; steps: {self.steps}"
        assert self._outcome.error is None or isinstance(self._outcome.error, LumabraidError)
        assert self._outcome.report.account.balances
        assert self._outcome.report.account.in_flight == 0
        return self._outcome

    def run(self, **options: Any) -> Outcome:
        self.start(**options)
        return self.outcome()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "what was waited for never happened"
        time.sleep(0.002)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture
def rig() -> Iterator[Rig]:
    before = set(threading.enumerate())
    rig = Rig()
    yield rig
    hung = rig.hanging.is_set()
    left = [thread.name for thread in set(threading.enumerate()) - before]
    rig.released.set()
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert hung or not left, f"threads left behind: {left}"


@pytest.fixture
def address(tmp_path: Path) -> str:
    """To publish at, of one test alone."""
    return f"ipc://{tmp_path}/fused"
