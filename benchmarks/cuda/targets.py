"""What is wanted of a GPU of the H100's class, and whether it was reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.cuda.parity import Row

COMPUTE_MS = {("full", "1280x720"): 5.0, ("full", "1920x1080"): 10.0, ("stream", "3840x2160"): 4.0}
RATE_SHARE = 0.9
PEAK_MIB = 3e9 / 2**20
"""In ``stream`` mode at 4K."""
PER_PIXEL_SPREAD = 1.25
"""Dearest over cheapest pixel from 540p to 4K in ``stream`` mode."""


def verdicts(speed: Iterable[Row]) -> Iterator[str]:
    """A line for each target that the rows of the speed table speak of."""
    rows = list(speed)
    for row in rows:
        name = f"{row['model']} {row['mode']} {row['size']}"
        limit = COMPUTE_MS.get((str(row["mode"]), str(row["size"])))
        if limit is not None:
            yield _line(f"{name}: computing takes", figure(row, "compute_ms"), limit, "ms")
        if limit is not None and row["mode"] == "stream":
            yield _line(f"{name}: memory is", figure(row, "peak_mib"), PEAK_MIB, "MiB")
        share = figure(row, "rate_share")
        verdict = "reached" if share >= RATE_SHARE else "MISSED"
        yield f"{name}: {share:.0%} of the rate of computing alone, wanted {RATE_SHARE:.0%}: {verdict}"
    for model in sorted({str(row["model"]) for row in rows}):
        costs = [figure(row, "ns_per_pixel") for row in rows if (row["model"], row["mode"]) == (model, "stream")]
        if len(costs) > 1:
            spread = max(costs) / min(costs)
            yield _line(f"{model} stream: the dearest over the cheapest pixel is", spread, PER_PIXEL_SPREAD, "")


def figure(row: Row, name: str) -> float:
    """A number of a row."""
    value = row[name]
    assert isinstance(value, float)
    return value


def _line(what: str, value: float, limit: float, unit: str) -> str:
    verdict = "reached" if value <= limit else "MISSED"
    return f"{what} {value:.4g} {unit}".rstrip() + f", wanted at most {limit:.4g} {unit}".rstrip() + f": {verdict}"
