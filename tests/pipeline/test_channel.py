"""A channel keeps order, keeps to its capacity, loses nothing without a word and never leaves an end asleep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from pipeline.channel import CancelledError, Channel
from pipeline.worker import Link
from stages.frame import StreamInfo
from stages.stage import Done


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start ``work`` in a thread; the returned function waits for its result or raises its exception."""
    result: list[Any] = []

    def target() -> None:
        try:
            result.append((work(), None))
        except Exception as error:
            result.append((None, error))

    thread = threading.Thread(target=target, daemon=True)
    thread.start()

    def wait() -> Any:
        thread.join(20)
        assert result, "still blocked"
        value, error = result[0]
        if error is not None:
            raise error
        return value

    return wait


def test_items_come_out_in_order_and_the_closed_channel_is_drained() -> None:
    channel: Channel[int] = Channel(3)
    for item in range(3):
        channel.put(item)
    channel.close()
    assert list(channel) == [0, 1, 2]


def test_block_makes_the_giver_wait_and_loses_nothing() -> None:
    channel: Channel[int] = Channel(2)

    def give() -> None:
        for item in range(1000):
            channel.put(item)
        channel.close()

    wait = in_thread(give)
    assert list(channel) == list(range(1000))
    wait()
    counters = channel.counters()
    assert (counters.put, counters.taken, counters.dropped, counters.waiting) == (1000, 1000, 0, 0)
    assert 1 <= counters.high_water <= 2


def test_drop_oldest_makes_room_and_tells() -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel(2, "drop_oldest", on_drop=dropped.append)
    for item in range(5):
        channel.put(item)
    channel.close()
    assert dropped == [0, 1, 2]
    assert list(channel) == [3, 4]
    counters = channel.counters()
    assert (counters.put, counters.taken, counters.dropped, counters.high_water) == (5, 2, 3, 2)


def test_latest_keeps_only_the_newest_whatever_the_capacity() -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel(8, "latest", on_drop=dropped.append)
    for item in range(5):
        channel.put(item)
    channel.close()
    assert dropped == [0, 1, 2, 3]
    assert list(channel) == [4]
    assert channel.counters().high_water == 1


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_a_policy_that_drops_must_have_somebody_to_tell(policy: Any) -> None:
    with pytest.raises(ValueError, match="on_drop"):
        Channel[int](2, policy)


def test_capacity_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Channel[int](0)


def test_a_channel_can_be_narrowed_and_never_widened() -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel(3, "drop_oldest", on_drop=dropped.append)
    channel.narrow(2)
    channel.narrow(9)
    for item in range(5):
        channel.put(item)
    assert dropped == [0, 1, 2]


@pytest.mark.parametrize(
    ("width", "height", "bit_depth", "most"),
    [(1280, 720, 8, 8), (1920, 1080, 8, 7), (1920, 1080, 10, 3), (3840, 2160, 8, 1), (15360, 8640, 10, 1)],
)
def test_of_large_pictures_fewer_wait_than_the_capacity(width: int, height: int, bit_depth: int, most: int) -> None:
    link = Link(8, "drop_oldest", lambda _: None)
    link.describe(StreamInfo(width, height, bit_depth, Fraction(1, 25)))
    for _ in range(10):
        link.items.put(Done(0))
    assert link.items.counters().waiting == most
    assert next(link.info).width == width


def test_on_drop_may_use_the_channel() -> None:
    seen: list[int] = []
    channel: Channel[int] = Channel(1, "latest", on_drop=lambda _: seen.append(channel.counters().dropped))
    channel.put(0)
    channel.put(1)
    assert seen == [1]


def test_close_wakes_a_waiting_taker() -> None:
    channel: Channel[int] = Channel(1)
    wait = in_thread(lambda: list(channel))
    channel.close()
    channel.close()
    assert wait() == []


def test_put_after_close_is_a_mistake_of_the_program() -> None:
    channel: Channel[int] = Channel(1)
    channel.close()
    with pytest.raises(RuntimeError, match="closed"):
        channel.put(0)


def test_cancel_wakes_a_waiting_taker() -> None:
    channel: Channel[int] = Channel(1)
    wait = in_thread(lambda: next(channel))
    channel.cancel()
    with pytest.raises(CancelledError):
        wait()


def test_cancel_wakes_a_waiting_giver(until: Callable[[Callable[[], object]], None]) -> None:
    channel: Channel[int] = Channel(1)
    wait = in_thread(lambda: [channel.put(item) for item in range(2)])
    until(lambda: channel.counters().waiting == 1)
    channel.cancel()
    with pytest.raises(CancelledError):
        wait()


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "latest"])
def test_a_cancelled_channel_is_empty_and_takes_nothing(policy: Any) -> None:
    channel: Channel[int] = Channel(2, policy, on_drop=lambda _: None)
    channel.put(0)
    channel.cancel()
    assert channel.counters().waiting == 0
    with pytest.raises(CancelledError):
        next(channel)
    with pytest.raises(CancelledError):
        channel.put(1)


def test_what_is_waiting_is_not_delivered_once_cancelled_even_if_closed_before() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    channel.close()
    channel.cancel()
    with pytest.raises(CancelledError):
        next(channel)


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_every_item_is_taken_or_dropped_exactly_once_under_contention(policy: Any) -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel(3, policy, on_drop=dropped.append)
    wait = in_thread(lambda: list(channel))
    for item in range(5000):
        channel.put(item)
    channel.close()
    taken = wait()
    assert taken == sorted(taken)
    assert sorted(taken + dropped) == list(range(5000))
