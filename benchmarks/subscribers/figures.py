"""From what was seen to figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.subscribers.crowd import Observation
from benchmarks.subscribers.reader import Account
from benchmarks.subscribers.schedule import DEAD, KEEPER, READERS, SLOW, Block, Schedule
from benchmarks.subscribers.source import Published

Figures = dict[str, Any]
"""As JSON takes it."""
Values = npt.NDArray[np.float64]

_RESAMPLES = 2000


def evaluate(seen: Observation, schedule: Schedule) -> Figures:
    """All figures of a run with a crowd."""
    published = seen.published
    frame_s = (published.began_ns - seen.began_ns) / 1e9
    kept = np.concatenate([account.frames for account in seen.accounts[KEEPER]])
    kept_s = frame_s[kept["index"]]
    blocks = schedule.blocks
    return {
        "frames_per_s": round(1e9 / float(np.diff(published.began_ns).mean()), 2),
        "stage_cost_us": compare(published.cost_ns / 1e3, frame_s, blocks),
        "stage_cpu_us": compare(published.cpu_ns / 1e3, frame_s, blocks),
        "waited_ms": compare(kept["waited_ns"] / 1e6, kept_s, blocks),
        "age_ms": compare(kept["age_ns"] / 1e6, kept_s, blocks),
        **_usage(seen, frame_s, blocks),
        "published": published.messages,
        "announced": seen.accounts[KEEPER][-1].announced,
        "readers": {name: _reader(seen.accounts[name], schedule.subscriptions(name)) for name in READERS},
        "exact": _are_exact(seen, schedule),
        "slow": _slow(seen.accounts[SLOW]),
    }


def quantiles(values: Values) -> Figures:
    """Median and 99th percentile."""
    return {"p50": round(float(np.median(values)), 3), "p99": round(float(np.percentile(values, 99)), 3)}


def compare(values: Values, at_s: Values, blocks: Sequence[Block]) -> Figures:
    """Values of the blocks with one reader against those of the blocks with all readers.

    Blocks come in pairs, one of each kind side by side. ``noise`` is the ratio of every other block with one reader to
    the rest of these: what the ratio can be without any crowd. Too few blocks give no interval and no noise.
    """
    split = [values[(at_s >= block.begin_s) & (at_s < block.end_s)] for block in blocks]
    alone, crowded = split[0::2], split[1::2]
    return {
        "alone": quantiles(np.concatenate(alone)),
        "crowded": quantiles(np.concatenate(crowded)),
        "p99_ratio": round(_p99_ratio(crowded, alone), 3),
        "p99_ratio_interval": _interval(crowded, alone) if len(alone) > 2 else None,
        "p99_ratio_by_pair": [
            round(_p99_ratio([after], [before]), 3) for before, after in zip(alone, crowded, strict=True)
        ],
        "noise": round(_p99_ratio(alone[1::2], alone[0::2]), 3) if len(alone) > 1 else None,
    }


def _p99_ratio(crowded: Sequence[Values], alone: Sequence[Values]) -> float:
    """Of the values of several blocks taken together."""
    return float(np.percentile(np.concatenate(crowded), 99) / np.percentile(np.concatenate(alone), 99))


def _interval(crowded: Sequence[Values], alone: Sequence[Values]) -> list[float]:
    """Of 95 %, by resampling pairs of blocks."""
    drawn = np.random.default_rng(0).integers(len(alone), size=(_RESAMPLES, len(alone)))
    ratios = [_p99_ratio([crowded[pair] for pair in row], [alone[pair] for pair in row]) for row in drawn]
    return [round(float(ratio), 3) for ratio in np.percentile(ratios, [2.5, 97.5])]


def _usage(seen: Observation, frame_s: Values, blocks: Sequence[Block]) -> Figures:
    """Memory and CPU time of the publisher, and how busy the machine was."""
    samples = seen.samples
    at_s = (samples["at_ns"] - seen.began_ns) / 1e9
    crowded = np.any([(at_s >= block.begin_s) & (at_s < block.end_s) for block in blocks if block.crowded], axis=0)
    quarters_mib = np.array_split(samples["rss_bytes"][crowded] / 2**20, 4)
    figures: Figures = {
        "rss_mib": {
            "by_quarter": [round(float(np.median(quarter)), 1) for quarter in quarters_mib if len(quarter)],
            "peak": round(float(samples["rss_bytes"].max() / 2**20), 1),
        },
        "publisher_cpu_ms_per_frame": {},
        "machine_busy": {},
    }
    for kind, is_crowded in (("alone", False), ("crowded", True)):
        edges = np.array([(block.begin_s, block.end_s) for block in blocks if block.crowded == is_crowded])
        lengths_s, cpu_s, idle_s = (
            np.diff(np.interp(edges, at_s, track), axis=1).sum()
            for track in (at_s, samples["cpu_s"], samples["idle_s"])
        )
        frames = sum(int(((frame_s >= begin_s) & (frame_s < end_s)).sum()) for begin_s, end_s in edges)
        figures["publisher_cpu_ms_per_frame"][kind] = round(1e3 * float(cpu_s) / frames, 3)
        figures["machine_busy"][kind] = round(1 - float(idle_s / lengths_s) / (psutil.cpu_count() or 1), 3)
    return figures


def is_exact(account: Account) -> bool:
    """Whether all that was published until the last frame was received or counted as lost, and nothing twice.

    The numbers of the frames that reached the program are counted here; the counters are the library's.
    """
    stats, numbers = account.stats, account.frames["seq"]
    if len(numbers) == 0:
        return stats.received == stats.lost == 0
    holes = int(np.sum(np.diff(numbers) - 1)) + int(numbers[0]) - stats.before
    return (
        bool(np.all(np.diff(numbers) > 0))
        and stats.delivered == len(numbers)
        and stats.received == stats.delivered + stats.skipped
        and stats.before + stats.received + stats.lost == int(numbers[-1]) + 1
        and stats.lost + stats.skipped == holes
        and stats.malformed == 0
    )


def is_whole(account: Account, published: Published) -> bool:
    """Whether an account that ends with the stream is exact, and knows of all that was published.

    What was lost after the last frame received, the publisher's last word tells.
    """
    stats = account.stats
    known = stats.before + stats.received + stats.lost
    return is_exact(account) and account.announced == published.messages and known <= published.messages


def _are_exact(seen: Observation, schedule: Schedule) -> bool:
    """Every account is there and balances, and all agree on which message is which."""
    accounts = [account for name in READERS for account in seen.accounts[name]]
    complete = all(len(seen.accounts[name]) == schedule.subscriptions(name) for name in READERS if name != DEAD)
    pairs = np.unique(np.concatenate([account.frames[["seq", "index"]] for account in accounts]))
    return (
        complete
        and all(map(is_exact, accounts))
        and is_whole(seen.accounts[KEEPER][-1], seen.published)
        and len(np.unique(pairs["seq"])) == len(np.unique(pairs["index"])) == len(pairs)
    )


def _reader(accounts: Sequence[Account], expected: int) -> Figures:
    """One reader's subscriptions taken together."""
    counters = ("before", "received", "delivered", "skipped", "lost")
    return {
        "subscriptions": expected,
        "accounts": len(accounts),
        **{name: sum(getattr(account.stats, name) for account in accounts) for name in counters},
        "exact": all(map(is_exact, accounts)),
    }


def _slow(accounts: Sequence[Account]) -> Figures:
    """How old the slow reader's frames are when it gets them, and when it is done with them."""
    frames = np.concatenate([account.frames for account in accounts])
    work_ms = 1e3 * READERS[SLOW].work_s
    worked = frames["done_age_ns"] - frames["age_ns"] >= 1e6 * work_ms
    return {
        "age_ms": quantiles(frames["age_ns"] / 1e6),
        "age_when_done_ms": quantiles(frames["done_age_ns"][worked] / 1e6),
        "limit_ms": work_ms + 50,
    }
