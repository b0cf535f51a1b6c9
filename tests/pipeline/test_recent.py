"""Figures of the last two seconds."""

from __future__ import annotations

import time

import pytest

from pipeline.latency import LatencySummary
from pipeline.recent import WINDOW_S, Recent, RecentFrames


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now_s = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    return now_s


def run(frames: RecentFrames, clock: list[float], *, seconds: float, fps: float, latency_s: float) -> None:
    for _ in range(round(seconds * fps)):
        clock[0] += 1 / fps
        frames.captured()
        frames.fused(latency_s)


def test_nothing_yet() -> None:
    assert RecentFrames().summary(0.0) == Recent(0.0, 0.0, LatencySummary(0.0, 0.0, 0.0, 0.0))


def test_a_run_that_slows_down_shows_its_new_pace_within_two_seconds(clock: list[float]) -> None:
    frames = RecentFrames()
    run(frames, clock, seconds=60, fps=50, latency_s=0.010)
    run(frames, clock, seconds=WINDOW_S + 0.1, fps=10, latency_s=0.200)
    recent = frames.summary(clock[0])
    assert recent.captured_fps == pytest.approx(10, rel=0.06)
    assert recent.fused_fps == pytest.approx(10, rel=0.06)
    assert recent.latency.p50_ms == recent.latency.max_ms == pytest.approx(200)


def test_a_stall_falls_to_zero(clock: list[float]) -> None:
    frames = RecentFrames()
    run(frames, clock, seconds=3, fps=25, latency_s=0.010)
    recent = frames.summary(clock[0] + WINDOW_S + 0.1)
    assert (recent.captured_fps, recent.fused_fps, recent.latency.p99_ms) == (0.0, 0.0, 0.0)


def test_quantiles_are_those_of_the_sorted_latencies(clock: list[float]) -> None:
    frames = RecentFrames()
    frames.captured()
    for latency_ms in range(100, 0, -1):
        frames.fused(latency_ms / 1000)
    latency = frames.summary(clock[0]).latency
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms) == pytest.approx((50, 95, 99, 100))


def test_the_first_frame_is_no_rate_of_thousands(clock: list[float]) -> None:
    frames = RecentFrames()
    frames.captured()
    assert frames.summary(clock[0] + 0.001).captured_fps == 2.0
