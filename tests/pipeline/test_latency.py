"""Quantiles within 1 % of the exact ones, from a histogram of fixed size."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.latency import LatencyHistogram, LatencySummary, StageMeter


@pytest.mark.parametrize("scale_s", [1e-5, 1e-2, 10.0])
def test_quantiles_are_within_one_percent(scale_s: float) -> None:
    durations_s = scale_s * np.random.default_rng(1).lognormal(sigma=0.7, size=20_000)
    histogram = LatencyHistogram()
    for duration_s in durations_s:
        histogram.record(float(duration_s))
    summary = histogram.summary()
    exact_ms = 1e3 * np.quantile(durations_s, [0.5, 0.95, 0.99], method="inverted_cdf")
    assert (summary.p50_ms, summary.p95_ms, summary.p99_ms) == pytest.approx(exact_ms, rel=0.01)
    assert summary.max_ms == pytest.approx(1e3 * durations_s.max())


def test_nothing_measured_is_zero() -> None:
    assert LatencyHistogram().summary() == LatencySummary(0.0, 0.0, 0.0, 0.0)


def test_one_value_is_every_quantile_and_none_exceeds_the_maximum() -> None:
    histogram = LatencyHistogram()
    histogram.record(0.04)
    summary = histogram.summary()
    assert summary.p50_ms == summary.p99_ms == pytest.approx(40, rel=0.01)
    assert summary.p99_ms <= summary.max_ms == pytest.approx(40)


@pytest.mark.parametrize("duration_s", [0.0, 1e9])
def test_what_lies_outside_counts_at_the_edge(duration_s: float) -> None:
    histogram = LatencyHistogram()
    histogram.record(duration_s)
    assert histogram.summary().max_ms == duration_s * 1e3


def test_a_meter_counts_items_and_time() -> None:
    meter = StageMeter()
    for busy_s in (0.1, 0.3):
        meter.took(busy_s)
        meter.gave()
    meter.flushed(0.5)
    meter.gave()
    times = meter.times()
    assert (times.items_in, times.items_out) == (2, 3)
    assert times.busy_s == pytest.approx(0.9)
    assert times.latency.max_ms == pytest.approx(300)
