"""The account of a run as Prometheus metrics, served while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.latency import LatencySummary
from pipeline.report import Report
from stages.errors import ConfigError

if TYPE_CHECKING:
    from prometheus_client import Metric


@contextmanager
def metrics_server(address: str, read: Callable[[], tuple[Report, dict[str, int]]]) -> Iterator[None]:
    """Serve metrics over HTTP while the block runs.

    Args:
        address: HOST:PORT.
        read: the report of the moment, and the messages published so far by topic; called in the server's threads.

    Raises:
        ConfigError: prometheus-client is not installed, or nothing can listen there.
    """
    try:
        from prometheus_client import start_http_server
        from prometheus_client.registry import Collector
    except ImportError:
        raise ConfigError("metrics need prometheus-client: pip install 'lumabraid[metrics]'") from None

    class RunCollector(Collector):
        def collect(self) -> Iterable[Metric]:
            return _metrics(*read())

    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), RunCollector())
    except (OSError, OverflowError) as error:
        raise ConfigError(f"metrics: cannot listen on {address}: {error}; choose another address") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _metrics(report: Report, published: dict[str, int]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    account = report.account
    yield CounterMetricFamily("lumabraid_captured_frames", "Frames read from the source.", value=account.captured)
    yield CounterMetricFamily("lumabraid_fused_frames", "Frames fused and with the sink.", value=account.fused)
    dropped = CounterMetricFamily("lumabraid_dropped_frames", "Frames given up.", labels=["stage", "reason"])
    for stage, reasons in account.dropped.items():
        for reason, count in reasons.items():
            dropped.add_metric([stage, reason], count)
    yield dropped
    failed = CounterMetricFamily("lumabraid_failed_frames", "Frames lost to an error.", labels=["reason"])
    for reason, count in account.failed.items():
        failed.add_metric([reason], count)
    yield failed
    yield GaugeMetricFamily("lumabraid_in_flight_frames", "Frames captured and not ended.", value=account.in_flight)
    latency = GaugeMetricFamily(
        "lumabraid_latency_seconds", "From capture to the sink, since the start.", labels=["quantile"]
    )
    for quantile, value_s in _quantiles(report.latency):
        latency.add_metric([quantile], value_s)
    yield latency
    busy = GaugeMetricFamily(
        "lumabraid_stage_latency_seconds",
        "A stage's own time for a frame, since the start.",
        labels=["stage", "quantile"],
    )
    depth = GaugeMetricFamily("lumabraid_queue_depth", "Items that wait before a stage.", labels=["stage"])
    for name, stage_report in report.stages.items():
        for quantile, value_s in _quantiles(stage_report.times.latency):
            busy.add_metric([name, quantile], value_s)
        if stage_report.queue is not None:
            depth.add_metric([name], stage_report.queue.waiting)
    yield busy
    yield depth
    messages = CounterMetricFamily("lumabraid_published_messages", "Messages published.", labels=["topic"])
    for topic, count in published.items():
        messages.add_metric([topic], count)
    yield messages


def _quantiles(latency: LatencySummary) -> list[tuple[str, float]]:
    """By their names in Prometheus, in seconds."""
    return [("0.5", latency.p50_ms / 1e3), ("0.95", latency.p95_ms / 1e3), ("0.99", latency.p99_ms / 1e3)]
