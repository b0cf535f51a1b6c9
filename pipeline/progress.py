"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LINE_INTERVAL_S: Final = 10.0


class Progress(ABC):
    """Shows how far a task is."""

    @abstractmethod
    def show(self, done: int, total: int | None, speed: float, note: str = "") -> None:
        """Show how many are done, of how many if known, how many a second (0: not known), and what goes on."""


@contextmanager
def progress(title: str, *, unit: str = "fps") -> Iterator[Progress]:
    """Show progress while the block runs; a bar goes away with it. ``unit`` is that of the speed."""
    if not sys.stderr.isatty():
        yield _Lines(title, unit)
        return
    # Imported where it is needed: a tenth of a second nobody should wait for without a terminal.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        TextColumn(escape(title)),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        auto_refresh=False,
        transient=True,
        expand=True,
    )
    with bar:
        yield _Bar(bar, unit)


class _Bar(Progress):
    """A bar on a terminal."""

    def __init__(self, bar: RichProgress, unit: str) -> None:
        self._bar = bar
        self._unit = unit
        self._task = bar.add_task("", total=None, count="", speed="", note="")

    def show(self, done: int, total: int | None, speed: float, note: str = "") -> None:
        count, rate = _count(done, total), _speed(speed, self._unit)
        self._bar.update(self._task, completed=done, total=total, count=count, speed=rate, note=note)
        self._bar.refresh()


class _Lines(Progress):
    """A line every ten seconds."""

    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._last_s = time.monotonic()

    def show(self, done: int, total: int | None, speed: float, note: str = "") -> None:
        now_s = time.monotonic()
        if now_s - self._last_s < _LINE_INTERVAL_S:
            return
        self._last_s = now_s
        parts = [_count(done, total), _speed(speed, self._unit), note]
        if total is not None and speed > 0 and done < total:
            parts.insert(2, f"{(total - done) / speed:.0f} s left")
        print(f"{self._title}: {', '.join(part for part in parts if part)}", file=sys.stderr, flush=True)


def _count(done: int, total: int | None) -> str:
    return f"{done}/{total}" if total is not None else f"{done}"


def _speed(speed: float, unit: str) -> str:
    return f"{speed:.1f} {unit}" if speed > 0 else ""
