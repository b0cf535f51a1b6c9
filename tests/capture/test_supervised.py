"""A live source that is lost in every way there is, and goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from stages.bracket import BracketSettings, BracketState
from stages.capture.reconnect_config import ReconnectConfig
from stages.capture.supervised import SupervisedSource
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame, Planes, StreamInfo
from stages.stage import Source

RATE = 100
NAME = "rtsp://camera/door"


class Bracket:
    def __init__(self) -> None:
        self.settings = BracketSettings()

    @property
    def state(self) -> BracketState:
        return BracketState(settings=self.settings, under=None, over=None, settled=True, control_delay_frames=2)

    def request(self, settings: BracketSettings) -> None:
        self.settings = settings


class Camera(Source):
    """One connection: gives ``frames`` frames, then does as ``then`` says."""

    def __init__(
        self,
        frames: int,
        then: str = "stalls",
        *,
        width: int = 32,
        first_pts: int = 0,
        time_base: Fraction = Fraction(1, 1000),
        bracket: Bracket | None = None,
    ) -> None:
        self.closed = threading.Event()
        self.released = threading.Event()
        self.threads: set[int] = set()
        self.bracket = bracket
        self._planes = Planes(np.zeros((16, width), np.uint8), np.zeros((2, 8, width // 2), np.uint8))
        self._frames, self._then, self._given = frames, then, 0
        self._first_pts, self._time_base = first_pts, time_base
        self._woken = threading.Event()

    def open(self) -> StreamInfo:
        self.threads.add(threading.get_ident())
        if self._then == "refuses":
            raise SourceError(f"{NAME} cannot be opened: connection refused; check the address")
        if self._then == "does not answer":
            self._woken.wait(30)
        return StreamInfo(
            width=self._planes.width, height=16, bit_depth=8, time_base=self._time_base, frame_rate=Fraction(RATE)
        )

    def read(self) -> Frame | None:
        self.threads.add(threading.get_ident())
        if self._given == self._frames:
            match self._then:
                case "ends":
                    return None
                case "breaks":
                    raise DamagedSourceError(f"{NAME}: reading failed (connection reset by peer)")
                case "crashes":
                    raise RuntimeError("a bug in a driver")
            self._woken.wait(30)
            return None
        time.sleep(1 / RATE)
        self._given += 1
        pts = self._first_pts + round((self._given - 1) / RATE / self._time_base)
        return Frame(index=self._given - 1, planes=self._planes, pts=pts, time_base=self._time_base)

    def interrupt(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        if self._then == "hangs when closed":
            self.released.wait(30)
        self.closed.set()


class Cameras:
    """The connections that a source gets, one after another; the last again and again."""

    def __init__(self, *cameras: Callable[[], Camera]) -> None:
        self.made: list[Camera] = []
        self._cameras = cameras

    def __call__(self) -> Camera:
        self.made.append(self._cameras[min(len(self.made), len(self._cameras) - 1)]())
        return self.made[-1]


@contextmanager
def supervised(*cameras: Callable[[], Camera], **settings: Any) -> Iterator[tuple[SupervisedSource, Cameras]]:
    settings = {"stall_s": 0.2, "open_timeout_s": 1.0, **settings}
    made = Cameras(*cameras)
    source = SupervisedSource(made, ReconnectConfig(**settings), name=NAME)
    try:
        yield source, made
    finally:
        source.close()


def take(source: Source, count: int) -> list[Frame]:
    frames = [source.read() for _ in range(count)]
    assert None not in frames
    return [frame for frame in frames if frame is not None]


@pytest.mark.parametrize("way", ["stalls", "ends", "breaks", "crashes"])
def test_a_source_that_is_lost_is_opened_again(way: str) -> None:
    with supervised(lambda: Camera(3, way), lambda: Camera(1000)) as (source, cameras):
        source.open()
        frames = take(source, 8)
        assert source.reconnections == 1
        assert cameras.made[0].closed.wait(2)
    assert all(a.index < b.index and a.pts < b.pts for a, b in pairwise(frames))
    assert {frame.time_base for frame in frames} == {Fraction(1, 1000)}


def test_an_outage_is_a_gap_in_time_and_index_as_long_as_it_was() -> None:
    with supervised(lambda: Camera(3, "stalls", first_pts=5000), lambda: Camera(1000, first_pts=77)) as (source, _):
        source.open()
        before = take(source, 3)
        started_s = time.monotonic()
        after = take(source, 3)
        lasted_s = time.monotonic() - started_s
    gap_s = float((after[0].pts - before[-1].pts) * after[0].time_base)
    assert 0.15 < gap_s < lasted_s + 0.1
    assert after[0].index - before[-1].index == pytest.approx(gap_s * RATE, abs=1)
    assert before[0].pts == 5000
    assert after[1].pts - after[0].pts == 10


def test_another_time_base_after_an_outage_is_brought_to_the_first() -> None:
    other = Fraction(1, 90_000)
    with supervised(lambda: Camera(2, "ends"), lambda: Camera(1000, time_base=other)) as (source, _):
        assert source.open().time_base == Fraction(1, 1000)
        frames = take(source, 5)
    assert {frame.time_base for frame in frames} == {Fraction(1, 1000)}
    assert frames[4].pts - frames[3].pts == 10


def test_frames_of_another_size_simply_come() -> None:
    with supervised(lambda: Camera(2, "ends", width=32), lambda: Camera(1000, width=64)) as (source, _):
        assert source.open().width == 32
        assert [frame.planes.width for frame in take(source, 4)] == [32, 32, 64, 64]


def test_times_that_a_stream_begins_anew_go_on_by_the_clock() -> None:
    class Restarting(Camera):
        def read(self) -> Frame | None:
            frame = super().read()
            assert frame is not None
            return replace(frame, pts=frame.pts + 3_600_000) if frame.index >= 3 else frame

    with supervised(lambda: Restarting(1000)) as (source, _):
        source.open()
        frames = take(source, 6)
    assert frames[3].pts - frames[2].pts < 1000
    assert frames[4].pts - frames[3].pts == 10


def test_a_wrong_address_is_an_error_at_once() -> None:
    with (
        supervised(lambda: Camera(0, "refuses")) as (source, cameras),
        pytest.raises(SourceError, match="connection refused; check the address"),
    ):
        source.open()
    assert len(cameras.made) == 1
    assert cameras.made[0].closed.is_set()


def test_no_answer_at_the_start_is_an_error() -> None:
    with (
        supervised(lambda: Camera(0, "does not answer"), open_timeout_s=0.1) as (source, _),
        pytest.raises(SourceError, match=r"no answer within 0\.1 s"),
    ):
        source.open()


def test_a_source_that_is_not_there_yet_can_be_waited_for() -> None:
    cameras = (lambda: Camera(0, "refuses"), lambda: Camera(0, "refuses"), lambda: Camera(1000))
    with supervised(*cameras, wait_for_source=True) as (source, made):
        assert source.open().width == 32
        take(source, 2)
    assert len(made.made) == 3


def test_patience_can_end() -> None:
    with supervised(lambda: Camera(2, "ends"), lambda: Camera(0, "refuses"), give_up_s=0.5) as (source, _):
        source.open()
        take(source, 2)
        with pytest.raises(DamagedSourceError, match=r"was lost and did not come back in 0\.5 s"):
            source.read()


def test_an_outage_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stages")
    refused = [lambda: Camera(0, "refuses")] * 3
    with supervised(lambda: Camera(2, "breaks"), *refused, lambda: Camera(1000)) as (source, _):
        source.open()
        take(source, 6)
    lost, back = [record.getMessage() for record in caplog.records if "overtaken" not in record.getMessage()]
    assert lost == f"{NAME}: lost, reading failed (connection reset by peer); trying to reconnect"
    assert back.startswith(f"{NAME}: back after ")
    assert back.endswith("32x16")


@pytest.mark.parametrize("camera", [Camera(3, "stalls"), Camera(3, "does not answer")])
def test_whoever_waits_can_be_interrupted(camera: Camera) -> None:
    result: list[object] = []

    def work(source: Source) -> None:
        try:
            source.open()
            while (frame := source.read()) is not None:
                result.append(frame)
        except SourceError as error:
            result.append(error)
        result.append("over")

    with supervised(lambda: camera, stall_s=30, open_timeout_s=30) as (source, _):
        worker = threading.Thread(target=work, args=[source])
        worker.start()
        time.sleep(0.3)
        source.interrupt()
        worker.join(2)
        assert result[-1] == "over"
        assert source.read() is None
    assert camera.closed.wait(2)


def test_what_hangs_is_left_behind_and_does_not_pile_up() -> None:
    hanging = [lambda: Camera(1, "hangs when closed")] * 10
    with supervised(*hanging, stall_s=0.02) as (source, cameras):
        source.open()
        threading.Timer(2, source.interrupt).start()
        while source.read() is not None:
            pass
        assert source.left_behind == 3
        assert len(cameras.made) == 3
        for camera in cameras.made:
            camera.released.set()


def test_each_connection_lives_in_one_thread() -> None:
    with supervised(lambda: Camera(3, "ends"), lambda: Camera(1000)) as (source, cameras):
        source.open()
        take(source, 5)
    first, second = (camera.threads for camera in cameras.made)
    assert len(first) == len(second) == 1
    assert threading.get_ident() not in first | second


def test_a_slow_reader_gets_fresh_frames_of_both_exposures() -> None:
    with supervised(lambda: Camera(10_000), stall_s=2) as (source, _):
        source.open()
        frames = []
        for _ in range(12):
            frames += take(source, 1)
            time.sleep(0.05)
        lost = frames[-1].index - frames[0].index + 1 - len(frames)
        assert source.overrun >= lost > 0
        assert source.overrun - lost <= 8
    # Overtaken two by two, so that even and odd frames take turns.
    assert {(b.index - a.index) % 2 for a, b in pairwise(frames)} == {1}


def test_what_a_camera_films_before_anybody_reads_is_no_loss() -> None:
    with supervised(lambda: Camera(10_000), stall_s=2) as (source, _):
        source.open()
        time.sleep(0.5)
        first = take(source, 1)[0]
        assert first.index > 10, "frames of the moment and not of the beginning"
        assert source.overrun <= 10


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with supervised(lambda: Camera(2, "ends")) as (source, _):
        source.open()
        take(source, 6)
    assert threading.active_count() == before


def test_settings_of_the_bracket_outlive_the_camera() -> None:
    brackets = [Bracket(), Bracket()]
    cameras = (lambda: Camera(3, "ends", bracket=brackets[0]), lambda: Camera(1000, bracket=brackets[1]))
    with supervised(*cameras) as (source, _):
        source.open()
        bracket = source.bracket
        assert bracket is not None
        bracket.request(BracketSettings(stops=3.0))
        take(source, 5)
        assert bracket is source.bracket
    assert [control.settings.stops for control in brackets] == [3.0, 3.0]


@pytest.mark.parametrize("name", ["stall_s", "open_timeout_s", "give_up_s"])
def test_times_must_be_times(name: str) -> None:
    settings: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        ReconnectConfig(**settings)
