"""A live run on stderr: a panel that stays in place on a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.account import AccountSnapshot
from pipeline.recent import WINDOW_S
from pipeline.report import Report
from stages.bracket import BracketState
from stages.frame import Exposure

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_LINE_INTERVAL_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """What is shown of a run at one moment."""

    report: Report
    title: str
    """The source."""
    size: tuple[int, int] | None
    """Width and height; None before the source is open."""
    ratio_stops: float | None
    """Between the exposures, as seen in the pictures."""
    bracket: BracketState | None
    """None where the exposures cannot be steered."""
    outputs: tuple[tuple[str, str], ...]
    """Where the frames go: what it is, and its address."""


class LiveView(ABC):
    """Shows how a live run goes."""

    @abstractmethod
    def show(self, figures: LiveFigures) -> None:
        """Show this moment; called a few times a second."""


@contextmanager
def live_view() -> Iterator[LiveView]:
    """Show a run while the block lasts; a panel goes away with it, lines stay."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    # Imported where it is needed: a tenth of a second nobody should wait for without a terminal.
    from rich.console import Console
    from rich.live import Live

    live = Live(
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        vertical_overflow="crop",
    )
    with live:
        yield _Panel(live)


class _Panel(LiveView):
    """On a terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, figures: LiveFigures) -> None:
        self._live.update(_panel(figures), refresh=True)


class _Lines(LiveView):
    """In a log."""

    def __init__(self) -> None:
        self._due_s = time.monotonic() + _LINE_INTERVAL_S

    def show(self, figures: LiveFigures) -> None:
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + _LINE_INTERVAL_S
        account = figures.report.account
        parts = [
            _rates(figures.report),
            *([f"latency {_latency(figures.report)}"] if figures.report.recent.fused_fps else []),
            *([f"{figures.ratio_stops:.1f} stops apart"] if figures.ratio_stops is not None else []),
            *([figures.bracket.note] if figures.bracket is not None and figures.bracket.note else []),
            *([_losses(account)] if account.dropped_total else []),
        ]
        print(f"{figures.title}: {', '.join(parts)}", file=sys.stderr, flush=True)


def _panel(figures: LiveFigures) -> RenderableType:
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(ratio=1, overflow="fold")
    for name, text in panel_rows(figures):
        rows.add_row(name, escape(text))
    size = f" {figures.size[0]}x{figures.size[1]}" if figures.size is not None else ""
    stopping = figures.report.state == "stopping"
    hint = "finishing; Ctrl-C again stops at once" if stopping else "Ctrl-C finishes and ends"
    return Panel(
        rows,
        title=f"{escape(figures.title)}{size} {_clock(figures.report.wall_s)}",
        subtitle=hint,
        title_align="left",
        subtitle_align="right",
    )


def panel_rows(figures: LiveFigures) -> Iterator[tuple[str, str]]:
    """The panel's lines: what it is, and how it stands."""
    report = figures.report
    account = report.account
    if not account.captured:
        yield "frames", (figures.bracket.note if figures.bracket is not None else "") or "waiting for the first"
    else:
        rates = _rates(report) if report.recent.captured_fps else f"none came in the last {WINDOW_S:g} s"
        yield "frames", f"{rates}, {account.fused} fused"
        yield "latency", _latency(report) if report.recent.fused_fps else "-"
        yield "exposures", _exposures(figures)
        yield "stages", ", ".join(_stages(report)) or "-"
    for stage, reasons in account.dropped.items():
        for reason, count in reasons.items():
            yield "dropped", f"{count} in {stage}: {reason}"
    for reason, count in account.failed.items():
        yield "failed", f"{count}: {reason}"
    yield from figures.outputs


def _losses(account: AccountSnapshot) -> str:
    """How many, and the reason of most."""
    reasons = Counter[str]()
    for of_stage in account.dropped.values():
        reasons.update(of_stage)
    return f"{account.dropped_total} dropped ({reasons.most_common(1)[0][0]})"


def _rates(report: Report) -> str:
    return f"{report.recent.captured_fps:.1f} fps in, {report.recent.fused_fps:.1f} fps out"


def _latency(report: Report) -> str:
    latency = report.recent.latency
    return f"{latency.p50_ms:.0f} ms, p99 {latency.p99_ms:.0f} ms"


def _exposures(figures: LiveFigures) -> str:
    """Such as "1/1200 s and 1/150 s, 3.0 stops apart; settled"."""
    bracket = figures.bracket
    parts = []
    if bracket is not None and bracket.under is not None and bracket.over is not None:
        parts.append(f"{exposure_text(bracket.under)} and {exposure_text(bracket.over)}")
    parts.append("no pair yet" if figures.ratio_stops is None else f"{figures.ratio_stops:.1f} stops apart")
    text = ", ".join(parts)
    if bracket is None:
        return text
    return f"{text}; {bracket.note or ('settled' if bracket.settled else 'settling')}"


def exposure_text(exposure: Exposure) -> str:
    """As photographers write it: 1/150 s, and the gain where there is one."""
    seconds = exposure.time_us * 1e-6
    time_text = f"1/{1 / seconds:.0f} s" if 0 < seconds < 0.3 else f"{seconds:.1f} s"
    return time_text if round(exposure.gain, 1) <= 1 else f"{time_text} gain {exposure.gain:.1f}"


def _stages(report: Report) -> Iterator[str]:
    """What each stage takes for a frame, and how many wait before it; not those that take next to nothing."""
    for name, stage in report.stages.items():
        waiting = 0 if stage.queue is None else stage.queue.waiting
        if stage.queue is not None and (waiting or stage.times.latency.p50_ms >= 0.5):
            yield f"{name} {stage.times.latency.p50_ms:.0f} ms" + (f" ({waiting} waiting)" if waiting else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
