"""The threads of a run: each opens one stage, feeds it, flushes it and closes it, and says what went wrong."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, Protocol

from pipeline.account import Account
from pipeline.channel import CancelledError, Channel, Policy
from pipeline.latency import LatencyHistogram, StageMeter
from pipeline.precedence import give_way
from pipeline.recent import RecentFrames
from pipeline.report import Step
from stages.frame import StreamInfo
from stages.stage import Done, Dropped, Source, Stage

_WAITING_BYTES: Final = 24_000_000
"""What the pictures that wait between two stages may hold, unless it is a single one."""


class Indexed(Protocol):
    """What travels between stages, seen by the runtime."""

    @property
    def index(self) -> int:
        """Of the frame it was made for."""


class Link:
    """From one stage to the next: first the description of the stream, then the items."""

    def __init__(self, capacity: int, policy: Policy, on_drop: Callable[[Indexed], None]) -> None:
        self.info: Channel[StreamInfo] = Channel(1)
        self.items: Channel[Indexed] = Channel(capacity, policy, on_drop=on_drop)

    def describe(self, info: StreamInfo) -> None:
        """Hand on what the stream is; of large pictures fewer than the capacity may wait."""
        picture_bytes = info.width * info.height * 3 // 2 * (1 if info.bit_depth == 8 else 2)
        self.items.narrow(max(1, _WAITING_BYTES // max(1, picture_bytes)))
        self.info.put(info)

    def cancel(self) -> None:
        """Let go of what is on its way and wake both ends."""
        self.info.cancel()
        self.items.cancel()


@dataclass(frozen=True, slots=True)
class Crashed:
    """A stage raised."""

    stage: str
    step: Step
    frame_index: int | None
    error: BaseException
    ends_run: bool
    """False where what is on its way can still be finished."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A stage is ready for its first frame."""

    stage: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker's last word."""

    stage: str


Event = Opened | Crashed | Ended


class Worker(ABC):
    """The thread of one stage."""

    def __init__(self, name: str, account: Account, post: Callable[[Event], None]) -> None:
        """``post`` is given every event, in this worker's thread."""
        self.name = name
        self.meter = StageMeter()
        self._account = account
        self._post = post
        self._step: Step = "open"
        self._frame_index: int | None = None
        self._open_called = False
        # A daemon, so that a stage that hangs cannot keep the process alive.
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of a thread that has posted ``Ended``."""
        self._thread.join()

    @abstractmethod
    def _work(self) -> None:
        """Open the stage and see the stream through."""

    @abstractmethod
    def _close(self) -> None:
        """Close the stage."""

    def _run(self) -> None:
        try:
            give_way(self.name)
            self._work()
        except CancelledError:
            pass
        except BaseException as error:
            self._crashed(error, ends_run=True)
        if self._open_called:
            self._step, self._frame_index = "close", None
            try:
                self._close()
            except BaseException as error:
                self._crashed(error, ends_run=False)
        self._post(Ended(self.name))

    def _crashed(self, error: BaseException, *, ends_run: bool) -> None:
        self._post(Crashed(self.name, self._step, self._frame_index, error, ends_run))


class SourceWorker(Worker):
    """Reads frames, once it may begin, until the source ends, breaks off or is no longer wanted."""

    def __init__(
        self,
        name: str,
        source: Source,
        outbox: Link,
        account: Account,
        recent: RecentFrames,
        post: Callable[[Event], None],
    ) -> None:
        """``recent`` is told of each frame read."""
        super().__init__(name, account, post)
        self.first_frame_s: float | None = None
        """When the first frame was there, on the monotonic clock."""
        self._source = source
        self._outbox = outbox
        self._recent = recent
        self._beginning: Channel[None] = Channel(1)
        self._stop_requested = False
        self._interrupted = False
        self._frame_in_hand = False

    def begin(self) -> None:
        """Let it read as soon as its source is open; once."""
        self._beginning.put(None)

    def cancel(self) -> None:
        """If it has not begun, it shall not any more."""
        self._beginning.cancel()

    def stop(self) -> None:
        """Read no more. Waits for nothing and takes no lock: fit for a signal handler."""
        self._stop_requested = True

    def interrupt(self) -> None:
        """Let a source that waits for its next frame wait no longer; once is enough, more does no harm."""
        if not self._interrupted:
            self._interrupted = True
            self._source.interrupt()

    @property
    def will_give_no_more(self) -> bool:
        """After ``stop``: whether the stream can be closed without waiting for a ``read`` under way."""
        return self._stop_requested and not self._frame_in_hand

    def _work(self) -> None:
        self._open_called = True
        self._outbox.describe(self._source.open())
        self._post(Opened(self.name))
        next(self._beginning)
        self._step, self._frame_index = "read", 0
        while not self._stop_requested and self._move_one():
            self._frame_in_hand = False
        self._frame_in_hand = False
        if self.first_frame_s is not None or not self._stop_requested:
            self._outbox.items.close()

    def _move_one(self) -> bool:
        """Read a frame and hand it on; False when there is none."""
        started_s = time.perf_counter()
        try:
            frame = self._source.read()
        except Exception as error:
            if self.first_frame_s is None:
                raise
            if not self._stop_requested:  # after it, neither the frame nor its error is wanted
                self._crashed(error, ends_run=False)
            return False
        # Set before looking at the request: whoever asks to stop and then finds no frame in hand may rely on
        # this frame being let go.
        self._frame_in_hand = True
        if frame is None or self._stop_requested:
            return False
        self.meter.took(time.perf_counter() - started_s)
        if self.first_frame_s is None:
            self.first_frame_s = time.monotonic()
        self._account.captured(frame.index)
        self._recent.captured()
        self._frame_index = frame.index + 1
        self._outbox.items.put(frame)
        self.meter.gave()
        return True

    def _close(self) -> None:
        self._source.close()


class StageWorker(Worker):
    """Feeds a stage from its inbox; the last one, without an outbox, is the sink."""

    def __init__(
        self,
        name: str,
        stage: Stage[Any, Any],
        inbox: Link,
        outbox: Link | None,
        account: Account,
        latency: LatencyHistogram,
        recent: RecentFrames,
        post: Callable[[Event], None],
    ) -> None:
        """``latency`` and ``recent`` are told how long each finished frame took from its capture."""
        super().__init__(name, account, post)
        self.inbox = inbox
        self._stage = stage
        self._outbox = outbox
        self._latency = latency
        self._recent = recent

    def _work(self) -> None:
        info = next(self.inbox.info)
        self._open_called = True
        info = self._stage.open(info)
        if self._outbox is not None:
            self._outbox.describe(info)
        self._post(Opened(self.name))
        self._step = "process"
        for item in self.inbox.items:
            self._process(item)
            del item  # or its pixels would stay in memory while this thread waits for the next one
        self._step, self._frame_index = "flush", None
        started_s = time.perf_counter()
        waited_s = self._hand_on(self._stage.flush())
        self.meter.flushed(time.perf_counter() - started_s - waited_s)
        if self._outbox is not None:
            self._outbox.items.close()

    def _process(self, item: Indexed) -> None:
        self._frame_index = item.index
        started_s = time.perf_counter()
        waited_s = self._hand_on(self._stage.process(item))
        self.meter.took(time.perf_counter() - started_s - waited_s)

    def _hand_on(self, outputs: Iterable[Any]) -> float:
        """Pass on what the stage gives while it gives it; returns the seconds this took beside the stage's own."""
        waited_s = 0.0
        for output in outputs:
            started_s = time.perf_counter()
            self._deliver(output)
            waited_s += time.perf_counter() - started_s
        return waited_s

    def _deliver(self, output: Any) -> None:
        if isinstance(output, Dropped):
            self._account.dropped(output.index, self.name, output.reason)
            return
        if isinstance(output, Done) != (self._outbox is None):
            raise TypeError(f"only the last stage gives Done, and nothing else; got {type(output).__name__}")
        if self._outbox is not None:
            self._outbox.items.put(output)
        else:
            latency_s = self._account.fused(output.index)
            if latency_s is not None:
                self._latency.record(latency_s)
                self._recent.fused(latency_s)
        self.meter.gave()

    def _close(self) -> None:
        self._stage.close()
