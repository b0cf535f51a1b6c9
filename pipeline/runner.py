"""Runs a source and a row of stages, a thread each, until the stream ends, the user ends it or something breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.account import Account
from pipeline.channel import Policy
from pipeline.latency import LatencyHistogram
from pipeline.recent import RecentFrames
from pipeline.report import Failure, Report, StageReport, State
from pipeline.worker import Crashed, Ended, Event, Indexed, Link, Opened, SourceWorker, StageWorker
from stages.errors import LumabraidError
from stages.stage import Source, Stage

_POLL_S = 0.05
_PROGRESS_INTERVAL_S = 0.25

_OVERTAKEN = "overtaken by newer frames"
_OVERTAKEN_EARLY = "overtaken before the first was fused"
_LOST = "no stage gave anything for it"
_ABORTED = "aborted"


class Runner:
    """One run of one pipeline.

    ``run`` decides everything, in the caller's thread: the stages' threads post to it what happens, ``stop`` and
    ``abort`` leave their wish where it looks every 50 ms. So the first error is the first one posted, and no
    decision needs a lock.
    """

    def __init__(
        self,
        source: Source,
        stages: Sequence[tuple[str, Stage[Any, Any]]],
        *,
        source_name: str = "capture",
        capacity: int = 4,
        policy: Policy = "block",
        on_progress: Callable[[Report], None] | None = None,
        grace_s: float = 1.5,
    ) -> None:
        """Connect the stages; nothing runs yet.

        Args:
            source: gives the frames.
            stages: names and stages in the order of the way; the last is the sink and yields ``Done``.
            source_name: the source's name in messages and in the report.
            capacity: items that may wait before each stage.
            policy: when a stage falls behind. The first stage always blocks the source: it makes the pairs, and
                only whole pairs are dropped. Unless all block, no frame is read before every stage is open, for it
                would only be dropped.
            on_progress: called by ``run``, in its thread, about four times a second and once at the end.
            grace_s: how long a stage may take to come back once the run was given up.
        """
        names = [source_name, *(name for name, _ in stages)]
        if not stages or len(set(names)) < len(names):
            raise ValueError(f"a pipeline needs a source and stages with different names, got {names}")
        self._account = Account()
        self._latency = LatencyHistogram()
        self._recent = RecentFrames()
        self._events: SimpleQueue[Event] = SimpleQueue()
        links = [
            Link(capacity, policy if position else "block", partial(self._overtaken, name))
            for position, (name, _) in enumerate(stages)
        ]
        outboxes: list[Link | None] = [*links[1:], None]
        self._source = SourceWorker(source_name, source, links[0], self._account, self._recent, self._events.put)
        self._stages = [
            StageWorker(name, stage, inbox, outbox, self._account, self._latency, self._recent, self._events.put)
            for (name, stage), inbox, outbox in zip(stages, links, outboxes, strict=True)
        ]
        self._workers = {worker.name: worker for worker in (self._source, *self._stages)}
        self._before_reading = set() if policy == "block" else set(self._workers)
        self._on_progress = on_progress
        self._grace_s = grace_s
        self._running: list[str] = []
        self._failure: Failure | None = None
        self._stop_requested = False
        self._abort_requested = False
        self._given_up: str | None = None
        self._deadline_s: float | None = None
        self._started_s: float | None = None
        self._ended_s: float | None = None
        self._next_progress_s = 0.0

    def run(self) -> Report:
        """Run to the end; can be called once. Signals are handled while it waits.

        Returns:
            The final report of a run that is complete, stopped or aborted.

        Raises:
            LumabraidError: the first error of any stage, of its own type; ``report`` then tells the rest. If the
                source broke off, everything before was fused and committed first.
        """
        if self._started_s is not None:
            raise RuntimeError("a Runner runs once")
        self._started_s = time.monotonic()
        self._running = list(self._workers)
        try:
            for worker in self._workers.values():
                worker.start()
            if not self._before_reading:
                self._source.begin()
            while self._goes_on():
                self._take_event()
                self._heed_requests()
                self._show_progress()
        except BaseException:
            self._give_up(_ABORTED)
            while self._goes_on():
                self._take_event()
            raise
        finally:
            self._settle()
        if self._on_progress is not None:
            self._on_progress(self.report())
        if self._failure is not None:
            raise self._failure.error
        return self.report()

    def stop(self) -> None:
        """Take no more frames; what was captured is fused and committed. Fit for a signal handler."""
        self._stop_requested = True
        self._source.stop()

    def abort(self) -> None:
        """Give everything up at once. Fit for a signal handler."""
        self._abort_requested = True

    @property
    def stop_requested(self) -> bool:
        """Whether it was to end before its source did."""
        return self._stop_requested

    def report(self) -> Report:
        """The run at this moment, or its final report; from any thread."""
        now_s = time.monotonic() if self._ended_s is None else self._ended_s
        account = self._account.snapshot()
        first_frame_s = self._source.first_frame_s
        fusing_s = 0.0 if first_frame_s is None else now_s - first_frame_s
        return Report(
            state=self._state(),
            account=account,
            wall_s=0.0 if self._started_s is None else now_s - self._started_s,
            fps=account.fused / fusing_s if fusing_s > 0 else 0.0,
            latency=self._latency.summary(),
            recent=self._recent.summary(now_s),
            stages={
                self._source.name: StageReport(self._source.meter.times(), queue=None),
                **{
                    worker.name: StageReport(worker.meter.times(), worker.inbox.items.counters())
                    for worker in self._stages
                },
            },
            failure=self._failure,
            stuck=() if self._ended_s is None else tuple(self._running),
        )

    def _state(self) -> State:
        if self._ended_s is None:
            return "stopping" if self._stop_requested else "running"
        if self._failure is not None:
            return "failed"
        if self._given_up == _ABORTED:
            return "aborted"
        return "stopped" if self._stop_requested else "complete"

    def _goes_on(self) -> bool:
        """Whether a thread runs that is still waited for."""
        return bool(self._running) and (self._deadline_s is None or time.monotonic() < self._deadline_s)

    def _take_event(self) -> None:
        """Wait a moment for news from the stages."""
        try:
            event = self._events.get(timeout=_POLL_S)
        except Empty:
            return
        if isinstance(event, Opened):
            self._opened(event.stage)
        elif isinstance(event, Ended):
            self._running.remove(event.stage)
        elif self._given_up is None:  # what breaks while everything is torn down is a consequence
            self._crashed(event)

    def _opened(self, stage: str) -> None:
        if stage in self._before_reading:
            self._before_reading.remove(stage)
            if not self._before_reading and self._given_up is None:
                self._source.begin()

    def _crashed(self, event: Crashed) -> None:
        # An error in close matters only where nothing else went wrong.
        if self._failure is None or (self._failure.step == "close" and event.step != "close"):
            self._failure = _failure(event)
        if event.ends_run:
            self._give_up(f"error in {event.stage}")

    def _heed_requests(self) -> None:
        """Do what ``stop`` and ``abort`` asked for."""
        if self._abort_requested:
            self._give_up(_ABORTED)
        if self._stop_requested or self._given_up:
            self._source.interrupt()
        if self._stop_requested and self._source.will_give_no_more:
            if self._source.first_frame_s is None:
                self._give_up("stopped before the first frame")
            else:
                self._stages[0].inbox.items.close()
            if self._running == [self._source.name]:
                self._set_deadline()

    def _give_up(self, why: str) -> None:
        """Cancel everything that waits; the threads then have the grace to end."""
        if self._given_up is not None:
            return
        self._given_up = why
        self._set_deadline()
        self._source.cancel()
        for worker in self._stages:
            worker.inbox.cancel()

    def _set_deadline(self) -> None:
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + self._grace_s

    def _settle(self) -> None:
        """Close the books."""
        for name, worker in self._workers.items():
            if name not in self._running:
                worker.join()
        self._account.close(self._given_up or _LOST)
        self._ended_s = time.monotonic()

    def _show_progress(self) -> None:
        now_s = time.monotonic()
        if self._on_progress is not None and now_s >= self._next_progress_s:
            self._next_progress_s = now_s + _PROGRESS_INTERVAL_S
            self._on_progress(self.report())

    def _overtaken(self, stage: str, item: Indexed) -> None:
        early = self._account.snapshot().fused == 0
        self._account.dropped(item.index, stage, _OVERTAKEN_EARLY if early else _OVERTAKEN)


def _failure(crash: Crashed) -> Failure:
    """The error as the user gets it: an unexpected exception becomes one line that says where it came from."""
    if isinstance(crash.error, LumabraidError):
        return Failure(crash.stage, crash.step, crash.frame_index, crash.error)
    place = f" at frame {crash.frame_index}" if crash.frame_index is not None else f" in {crash.step}"
    what = " ".join(f"{type(crash.error).__name__}: {crash.error}".rstrip(": ").split())
    error = LumabraidError(f"{crash.stage} failed{place}: {what}; --debug shows where")
    error.__cause__ = crash.error
    return Failure(crash.stage, crash.step, crash.frame_index, error)
