"""Figures as tables for a person."""

from __future__ import annotations

from math import nan
from statistics import median

from benchmarks.subscribers.figures import Figures
from benchmarks.subscribers.schedule import KEEPER, READERS

_COMPARED = {
    "stage_cost_us": "stage cost, us",
    "stage_cpu_us": "CPU time in it, us",
    "waited_ms": "handed to ZeroMQ after, ms",
    "age_ms": "age at the first reader, ms",
}


def print_crowd(figures: Figures) -> None:
    """The tables of a run with a crowd."""
    load, rss, slow = figures["load"], figures["rss_mib"], figures["slow"]
    size = f"{load['width']}x{load['height']} {load['encoding']}"
    print(f"{size} at {figures['frames_per_s']:.1f} frames/s, {load['address']}, {figures['seconds']:g} s")
    print(f"\n{'':28}{'one reader':>18}{'all eight':>18}   all / one, p99    pair by pair")
    print(f"{'':28}{'p50':>9}{'p99':>9}{'p50':>9}{'p99':>9}   [95 % interval]   median (lo - hi)    noise")
    for key, name in _COMPARED.items():
        _print_comparison(name, figures[key])
    for key, name in (("publisher_cpu_ms_per_frame", "publisher's CPU, ms a frame"), ("machine_busy", "machine busy")):
        print(f"{name:28}{figures[key]['alone']:9.3f}{figures[key]['crowded']:18.3f}")
    print(
        f"\npublisher's memory among all eight, MiB, median of each quarter of the run: "
        f"{', '.join(map(str, rss['by_quarter']))}; peak {rss['peak']}"
    )
    columns = ("subscriptions", "accounts", "before", "received", "lost", "delivered", "skipped")
    print(f"\n{'reader':12}" + "".join(f"{column:>14}" for column in columns) + "  balance")
    for name in READERS:
        row = figures["readers"][name]
        print(f"{name:12}" + "".join(f"{row[column]:14}" for column in columns) + f"  {row['exact']}")
    keeper = figures["readers"][KEEPER]
    after = figures["published"] - keeper["before"] - keeper["received"] - keeper["lost"]
    print(
        f"{figures['published']} published, {figures['announced']} by the last status; after the first reader's last: "
        f"{after}. Everything exact, and the same message everywhere: {figures['exact']}"
    )
    print(
        f"\nslow reader: age p99 {slow['age_ms']['p99']:.1f} ms when it gets a frame (limit {slow['limit_ms']:.0f}), "
        f"{slow['age_when_done_ms']['p99']:.1f} ms when it is done with it"
    )


def _print_comparison(name: str, row: Figures) -> None:
    values = "".join(f"{row[kind][at]:9.2f}" for kind in ("alone", "crowded") for at in ("p50", "p99"))
    low, high = row["p99_ratio_interval"] or (nan, nan)
    pairs = row["p99_ratio_by_pair"]
    noise = "-" if row["noise"] is None else f"{row['noise']:.3f}"
    ratio = f"{row['p99_ratio']:.3f} [{low:.2f} - {high:.2f}]"
    print(f"{name:28}{values}   {ratio}   {median(pairs):.2f} ({min(pairs):.2f} - {max(pairs):.2f})  {noise}")


def print_throughput(rows: Figures) -> None:
    """A line for each transport and encoding."""
    counters = ("frames", "lost", "skipped", "overtaken")
    head = f"{'':14}" + "".join(f"{name:>10}" for name in ("frames/s", *counters))
    print(f"{head}{'stage cost, us':>18}{'age, ms':>16}{'CPU, ms':>9}")
    print(f"{'':64}{'p50':>9}{'p99':>9}{'p50':>8}{'p99':>8}{'a frame':>9}")
    for name, row in rows.items():
        cost, age = row["stage_cost_us"], row["age_ms"]
        counts = "".join(f"{row[counter]:10}" for counter in counters)
        times = f"{cost['p50']:9.1f}{cost['p99']:9.1f}{age['p50']:8.2f}{age['p99']:8.2f}"
        print(f"{name:14}{row['frames_per_s']:10.2f}{counts}{times}{row['publisher_cpu_ms_per_frame']:9.2f}")
