"""What a run is doing or has done: for the progress bar, for the last lines on the screen, for ``--report``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from pipeline.account import AccountSnapshot
from pipeline.channel import ChannelCounters
from pipeline.latency import LatencySummary, StageTimes
from pipeline.recent import Recent
from stages.errors import LumabraidError

Step = Literal["open", "read", "process", "flush", "close"]

State = Literal["running", "stopping", "complete", "stopped", "aborted", "failed"]
"""``stopping``: asked to stop, still draining; then ``stopped``: what was captured until then is fused. ``aborted``
and ``failed``: given up, by the caller or for an error; a damaged source is ``failed`` too, though all before it
is fused."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The first error of a run, and where it happened."""

    stage: str
    step: Step
    frame_index: int | None
    """The frame that was read or processed; None in the other steps."""
    error: LumabraidError
    """As raised by the stage; an unexpected exception is the cause of one that says where it came from."""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "stage": self.stage,
            "step": self.step,
            "frame": self.frame_index,
            "type": type(self.error).__name__,
            "message": str(self.error),
        }


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage's part of a report."""

    times: StageTimes
    queue: ChannelCounters | None
    """The channel the stage takes from; None for the source."""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "in": self.times.items_in,
            "out": self.times.items_out,
            "busy_s": round(self.times.busy_s, 6),
            "latency": _rounded(self.times.latency),
            "queue": None if self.queue is None else asdict(self.queue),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A run at one moment, or at its end."""

    state: State
    account: AccountSnapshot
    wall_s: float
    """Since ``run`` was called, loading of models included."""
    fps: float
    """Fused frames per second since the first frame was captured."""
    latency: LatencySummary
    """From a frame's capture until the sink has it."""
    recent: Recent
    """The same of the last two seconds; of a run that has ended, its last two."""
    stages: Mapping[str, StageReport]
    """By name, in the order of the pipeline."""
    failure: Failure | None = None
    stuck: tuple[str, ...] = ()
    """Stages that did not come back in time after the run was given up; their threads still run."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """What the caller adds to the JSON, for example model and device: ``dataclasses.replace(report, extra=...)``."""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "state": self.state,
            "captured": self.account.captured,
            "fused": self.account.fused,
            "dropped": {stage: dict(reasons) for stage, reasons in self.account.dropped.items()},
            "failed": self.account.failed_total,
            "failed_reasons": dict(self.account.failed),
            "in_flight": self.account.in_flight,
            "wall_s": round(self.wall_s, 3),
            "fps": round(self.fps, 3),
            "latency": _rounded(self.latency),
            "recent": {
                "captured_fps": round(self.recent.captured_fps, 3),
                "fused_fps": round(self.recent.fused_fps, 3),
                "latency": _rounded(self.recent.latency),
            },
            "stages": {name: stage.to_dict() for name, stage in self.stages.items()},
            "error": None if self.failure is None else self.failure.to_dict(),
            "stuck": list(self.stuck),
            **self.extra,
        }


def _rounded(latency: LatencySummary) -> dict[str, float]:
    """Milliseconds to the microsecond."""
    return {name: round(value, 3) for name, value in asdict(latency).items()}
