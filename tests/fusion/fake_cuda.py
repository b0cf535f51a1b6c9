"""Stand-ins for torch's CUDA classes, which write down what is asked of them and compute at once, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

calls: list[str] = []
"""What was asked for."""
current: list[str] = []
"""The streams that are the thread's current one, the innermost last."""


class Stream:
    made = 0

    def __init__(self, device: torch.device) -> None:
        self.name = ("upload", "compute", "download")[Stream.made % 3]
        Stream.made += 1

    def wait_event(self, event: Event) -> None:
        calls.append(f"{self.name} waits for {event.recorded_on}")

    def synchronize(self) -> None:
        calls.append(f"caller waits for all of {self.name}")


class Event:
    def __init__(self, *, blocking: bool = False, enable_timing: bool = False) -> None:
        assert blocking != enable_timing
        self.recorded_on = "nothing"

    def record(self, stream: Stream) -> None:
        self.recorded_on = stream.name

    def synchronize(self) -> None:
        calls.append(f"caller waits for {self.recorded_on}")

    def elapsed_time(self, end: Event) -> float:
        assert self.recorded_on == end.recorded_on
        return 100.0


class Graph:
    capturing = False

    def capture_begin(self, *, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        assert current == ["compute"]
        Graph.capturing = True
        calls.append("capture begins")

    def capture_end(self) -> None:
        Graph.capturing = False
        calls.append("capture ends")

    def replay(self) -> None:
        assert current == ["compute"]
        calls.append("replay")


@contextmanager
def stream(chosen: Stream) -> Iterator[None]:
    current.append(chosen.name)
    try:
        yield
    finally:
        current.pop()


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put them in place of torch's."""
    calls.clear()
    current.clear()
    Stream.made = 0
    fakes: dict[str, Any] = {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "stream": stream,
        "is_available": lambda: True,
        "get_device_properties": lambda device: SimpleNamespace(name="No GPU", total_memory=2**33),
        "empty_cache": lambda: calls.append("empty cache"),
        "synchronize": lambda: calls.append("everything waits"),
        "reset_peak_memory_stats": lambda: None,
        "max_memory_reserved": lambda: 2**20,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
