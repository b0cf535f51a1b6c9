"""A publisher and its eight readers for a while, as the schedule says."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.subscribers.crew import Crew, Member
from benchmarks.subscribers.reader import Account, read
from benchmarks.subscribers.schedule import DEAD, KEEPER, READERS, Deed, Schedule
from benchmarks.subscribers.source import Load, Published, publish

SAMPLE = np.dtype([("at_ns", np.int64), ("rss_bytes", np.int64), ("cpu_s", np.float64), ("idle_s", np.float64)])
"""Monotonic clock; memory of the publisher and its CPU time so far; time so far that the machine's CPUs were idle."""

_SAMPLE_S = 0.5
_SETTLING_S = 1.0
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Observation:
    """All that was seen."""

    began_ns: int
    """Monotonic clock at the beginning of the first block."""
    published: Published
    accounts: Mapping[str, list[Account]]
    """Every subscription of every reader."""
    samples: npt.NDArray[np.void]
    """(samples,) of ``SAMPLE``."""


def observe(load: Load, schedule: Schedule) -> Observation:
    """Run it; takes a few seconds more than the schedule."""
    with Crew() as crew:
        return _Conductor(crew, load).run(schedule)


class _Conductor:
    """Does what is due, and meanwhile collects accounts and samples."""

    def __init__(self, crew: Crew, load: Load) -> None:
        self._crew = crew
        self._topic = load.topic
        self._source = crew.start(publish, load)
        self._address = self._source.pipe.recv()
        self._readers = {name: self._start(name) for name in READERS}
        for reader in self._readers.values():
            reader.pipe.recv()
        self._pipes = {reader.pipe: name for name, reader in self._readers.items()}
        self._accounts: dict[str, dict[int, Account]] = defaultdict(dict)
        self._samples: list[tuple[float, ...]] = []
        self._sample_due_s = time.monotonic()

    def run(self, schedule: Schedule) -> Observation:
        self._do(KEEPER, "turn")
        self._wait_until(time.monotonic() + _SETTLING_S)
        began_s = time.monotonic()
        for event in schedule.events:
            self._wait_until(began_s + event.at_s)
            self._do(event.reader, event.deed)
        self._collect({name: schedule.subscriptions(name) for name in READERS if name not in (KEEPER, DEAD)})
        self._source.pipe.send(None)
        published = self._source.pipe.recv()
        self._wait_until(time.monotonic() + _SETTLING_S)  # for the publisher's last word
        self._do(KEEPER, "turn")
        self._collect({KEEPER: 1})
        accounts = {name: list(self._accounts[name].values()) for name in READERS}
        return Observation(round(began_s * 1e9), published, accounts, np.array(self._samples, SAMPLE))

    def _start(self, name: str) -> Member:
        return self._crew.start(read, self._address, self._topic, READERS[name])

    def _do(self, name: str, deed: Deed) -> None:
        """Do it to a reader."""
        reader = self._readers[name]
        if deed == "turn":
            reader.pipe.send(None)
        elif deed == "stop":
            reader.stop()
        elif deed == "carry on":
            reader.carry_on()
        elif deed == "kill":
            reader.kill()
        else:
            self._readers[name] = self._start(name)
            self._pipes[self._readers[name].pipe] = name

    def _collect(self, expected: Mapping[str, int]) -> None:
        """Wait until so many accounts of each reader are there, or in vain."""
        give_up_s = time.monotonic() + _PATIENCE_S
        while any(len(self._accounts[name]) < count for name, count in expected.items()):
            if time.monotonic() > give_up_s:
                return
            self._wait_until(time.monotonic() + _SAMPLE_S)

    def _wait_until(self, due_s: float) -> None:
        """Collect what comes until that time of the monotonic clock."""
        while (now_s := time.monotonic()) < due_s:
            if now_s >= self._sample_due_s:
                self._sample()
                self._sample_due_s = now_s + _SAMPLE_S
            timeout_s = min(due_s, self._sample_due_s) - now_s
            for pipe in wait(list(self._pipes), timeout_s):
                assert isinstance(pipe, Connection)
                self._take_in(pipe)

    def _take_in(self, pipe: Connection[Any, Any]) -> None:
        """An account, the first word of a reader, or the end of one, in the middle of a word if need be."""
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            del self._pipes[pipe]
            return
        if isinstance(message, Account):
            self._accounts[self._pipes[pipe]][message.began_ns] = message

    def _sample(self) -> None:
        usage = self._source.usage
        with usage.oneshot():
            cpu, memory = usage.cpu_times(), usage.memory_info()
        self._samples.append((time.monotonic_ns(), memory.rss, cpu.user + cpu.system, psutil.cpu_times().idle))
