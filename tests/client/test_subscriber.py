"""Subscribers: the newest frame or every one, and an account of what became of the others."""

from __future__ import annotations

import asyncio
import functools
import gc
import math
import threading
from collections.abc import Callable
from typing import Any

import lumabraid
import pytest
from lumabraid import Status, Subscriber
from lumabraid.wire import encode_header

Wait = Callable[[Callable[[], bool]], None]


def test_three_lines_give_frames(station: Any) -> None:
    seen = []
    with station.sending(), lumabraid.Subscriber(station.address, timeout_s=10) as frames:
        for frame in frames:
            assert (frame.luma == frame.header.index % 256).all()
            seen.append(frame.header.seq)
            if len(seen) == 5:
                break
    assert seen == sorted(set(seen))


def test_latest_gives_a_slow_reader_the_newest_frame(station: Any) -> None:
    with Subscriber(station.address, timeout_s=10) as frames:
        station.wait_for_reader()
        for count, newest in ((1, 0), (20, 20), (5, 25)):
            station.deliver(frames, count)
            assert frames.read().header.seq == newest
    assert frames.stats == lumabraid.Stats(
        received=26, delivered=3, skipped=23, lost=0, before=0, restarts=0, malformed=0
    )


def test_every_gives_all_frames_in_order(station: Any) -> None:
    with Subscriber(station.address, policy="every", queue_frames=50, timeout_s=10) as frames:
        station.wait_for_reader()
        station.deliver(frames, 50)
        assert [frames.read().header.seq for _ in range(50)] == list(range(50))
    assert frames.stats == lumabraid.Stats(
        received=50, delivered=50, skipped=0, lost=0, before=0, restarts=0, malformed=0
    )


def test_every_skips_what_finds_the_queue_full(station: Any) -> None:
    with Subscriber(station.address, policy="every", queue_frames=3, timeout_s=10) as frames:
        station.wait_for_reader()
        station.deliver(frames, 10)
        assert [frames.read().header.seq for _ in range(3)] == [0, 1, 2]
        station.send()
        assert frames.read().header.seq == 10
        assert frames.stats.skipped == 7


def test_a_late_reader_counts_what_came_before_it(station: Any) -> None:
    with Subscriber(station.address, timeout_s=10) as early:
        station.wait_for_reader()
        station.deliver(early, 3)
        with Subscriber(station.address, policy="every", timeout_s=10) as late, station.sending():
            first = late.read().header.seq
            last = late.read().header.seq
        assert late.stats.before == first >= 3
        assert late.stats.before + late.stats.received + late.stats.lost > last


def test_gaps_are_counted(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/gray8", policy="every", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        for seq in (4, 5, 8, 20):
            raw_publisher.send_picture(b"xy", encoding="gray8", seq=seq)
            assert frames.read().header.seq == seq
    assert (frames.stats.before, frames.stats.received, frames.stats.lost) == (4, 4, 13)


def test_a_new_stream_is_a_restart_and_no_gap(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/gray8", policy="every", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        for stream, seq in (("a", 0), ("a", 1), ("b", 3), ("b", 4)):
            raw_publisher.send_picture(b"xy", encoding="gray8", seq=seq, stream=stream)
            assert frames.read().header.stream == stream
    stats = frames.stats
    assert (stats.before, stats.received, stats.lost, stats.restarts) == (3, 4, 0, 1)


def test_the_publisher_goes_and_comes_back(stations: Callable[..., Any]) -> None:
    first = stations()
    with Subscriber(first.address, timeout_s=10) as frames:
        first.wait_for_reader()
        first.deliver(frames, 3)
        frames.read()
        first.close()
        with pytest.raises(lumabraid.ReceiveTimeoutError):
            frames.read(timeout_s=0.05)

        second = stations(first.address)
        second.wait_for_reader()
        second.send()
        frame = frames.read()
    assert (frame.header.stream, frame.header.seq) == (second.publisher.stream, 0)
    assert frames.stats.restarts == 1


def test_what_belongs_to_one_frame_is_found_by_its_index(stations: Callable[..., Any], wait_until: Wait) -> None:
    publisher = stations().publisher
    topics = ("fused/gray8", "confidence/gray8")
    seen = []
    with (
        Subscriber(publisher.address, topic=topics[0], policy="every", timeout_s=10, stop_at_end=True) as frames,
        Subscriber(publisher.address, topic=topics[1], policy="every", timeout_s=10) as maps,
    ):
        assert all(publisher.wait_for_reader(topic, 10) for topic in topics)
        for reader, picture, indices in ((frames, "fused", (0, 1, 2, 4, 5)), (maps, "confidence", (1, 2, 3, 5))):
            for count, index in enumerate(indices, 1):
                header = lumabraid.Header(index=index, pts=0, time_base=(1, 25), encoding="gray8", width=1, height=1)
                publisher.publish(picture, header, [bytes([index])])
                wait_until(functools.partial(lambda reader, count: reader.stats.received == count, reader, count))
        publisher.publish_status(topics=topics, ended=True)
        trust = maps.read()
        for frame in frames:
            while trust.header.index < frame.header.index:
                trust = maps.read()
            if trust.header.index == frame.header.index:
                seen.append((int(frame.gray[0, 0]), int(trust.gray[0, 0])))
    assert seen == [(1, 1), (2, 2), (5, 5)]


def test_a_malformed_message_is_counted_and_passed_over(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/gray8", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        raw_publisher.send(b"fused/gray8", b"\x80", b"xy")
        with pytest.raises(
            lumabraid.ReceiveTimeoutError, match="1 messages were unreadable, the last: the header lacks"
        ):
            frames.read(timeout_s=0.3)
        raw_publisher.send_picture(b"xyz", encoding="gray8", seq=0)
        raw_publisher.send_picture(b"xy", encoding="gray8", seq=1)
        assert frames.read().header.seq == 1
        raw_publisher.send_picture(b"xy", encoding="gray8", seq=1)
        raw_publisher.send_picture(b"xy", encoding="gray8", seq=2)
        assert frames.read().header.seq == 2
    assert frames.stats.malformed == 3


def test_another_version_of_the_wire_format_ends_the_loop(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/gray8", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        raw_publisher.send(b"fused/gray8", b"\x81\xa6schema\x02", b"xy")
        with pytest.raises(lumabraid.SchemaError, match="schema 2"):
            next(frames)


def test_topics_that_merely_begin_alike_are_passed_over(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/gray8", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        raw_publisher.send(b"fused/gray8extra", b"anything")
        raw_publisher.send_picture(b"xy", encoding="gray8", seq=0)
        assert frames.read().header.seq == 0
    assert frames.stats.malformed == 0


def test_video_starts_at_a_key_frame_and_again_after_a_gap(raw_publisher: Any) -> None:
    with Subscriber(raw_publisher.address, topic="fused/h264", policy="every", timeout_s=10) as frames:
        raw_publisher.wait_for_reader()
        for seq, is_key in ((3, False), (4, True), (5, False), (7, False), (8, False), (9, True), (10, False)):
            raw_publisher.send_picture(b"unit", encoding="h264", seq=seq, key_frame=is_key)
        assert [frames.read().header.seq for _ in range(4)] == [4, 5, 9, 10]
        assert (frames.stats.skipped, frames.stats.lost) == (3, 1)


def test_the_status_is_at_hand_and_may_end_the_loop(station: Any) -> None:
    with Subscriber(station.address, policy="every", timeout_s=10, stop_at_end=True) as frames:
        station.wait_for_reader()
        station.deliver(frames, 3)
        station.publisher.publish_status(topics=[station.topic], ended=True, fused=3)
        assert [frame.header.seq for frame in frames] == [0, 1, 2]
        assert isinstance(frames.status, Status)
        assert frames.status.topics == {station.topic: 3}
        with pytest.raises(lumabraid.ClosedError, match="ended"):
            frames.read()


def test_an_end_without_a_frame_says_what_to_look_at(station: Any) -> None:
    with Subscriber(station.address, topic="over/bgr8", timeout_s=10, stop_at_end=True) as frames:
        assert station.publisher.wait_for_reader("over/bgr8", 10)
        station.publisher.publish_status(topics=[station.topic], ended=True)
        with pytest.raises(
            lumabraid.ClosedError, match=rf"before the stream ended: the publisher offers {station.topic}"
        ):
            frames.read()


def test_a_time_out_says_what_to_look_at(raw_publisher: Any, wait_until: Wait) -> None:
    with Subscriber("tcp://127.0.0.1:1", timeout_s=0.05) as frames:
        with pytest.raises(
            TimeoutError, match=r"no frame on fused/yuv420p from tcp://127.0.0.1:1 within 0.05 s, and no"
        ):
            next(frames)
        # It can be asked again.
        with pytest.raises(lumabraid.ReceiveTimeoutError):
            next(frames)
    with Subscriber(raw_publisher.address) as frames:
        raw_publisher.wait_for_reader()
        status = Status(stream="a", seq=0, published_ns=1, started_ns=1, topics={"fused/jpeg": 0})
        raw_publisher.send(b"status", encode_header(status))
        wait_until(lambda: frames.status is not None)
        with pytest.raises(lumabraid.ReceiveTimeoutError, match="the publisher offers fused/jpeg"):
            frames.read(timeout_s=0)


@pytest.mark.parametrize("by", ["close", "collection"])
def test_nothing_is_left_behind(station: Any, by: str) -> None:
    frames = Subscriber(station.address)
    station.wait_for_reader()
    station.send()
    frames.read(10)
    if by == "close":
        frames.close()
        frames.close()
    else:
        del frames
        gc.collect()
    # The rest is the guard's.


def test_close_from_another_thread_ends_the_loop(station: Any) -> None:
    frames = Subscriber(station.address)
    seen: list[lumabraid.Frame] = []
    loop = threading.Thread(target=lambda: seen.extend(frames))
    loop.start()
    station.wait_for_reader()
    station.send()
    frames.close()
    loop.join(10)
    assert not loop.is_alive()
    with pytest.raises(lumabraid.ClosedError, match="is closed"):
        frames.read()


def test_many_threads_may_close_at_once(station: Any) -> None:
    frames = Subscriber(station.address)
    threads = [threading.Thread(target=frames.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_async_iteration(station: Any) -> None:
    async def read() -> list[int]:
        async with Subscriber(station.address, policy="every", timeout_s=10) as frames:
            await asyncio.to_thread(station.wait_for_reader)
            sending = asyncio.create_task(asyncio.to_thread(station.deliver, frames, 5))
            seen = []
            async for frame in frames:
                seen.append(frame.header.seq)
                if len(seen) == 5:
                    break
            await sending
            return seen

    assert asyncio.run(read()) == [0, 1, 2, 3, 4]


def test_async_waiting_is_cancelled_timed_out_and_closed(station: Any) -> None:
    async def read() -> None:
        frames = Subscriber(station.address, timeout_s=0.05)
        with pytest.raises(lumabraid.ReceiveTimeoutError):
            await anext(frames)
        frames.close()

        frames = Subscriber(station.address)
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        closing = asyncio.create_task(asyncio.to_thread(frames.close))
        with pytest.raises(StopAsyncIteration):
            await anext(frames)
        await closing

    asyncio.run(read())


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"address": "localhost:5555"}, lumabraid.AddressError, "an address is tcp://HOST:PORT or ipc://PATH"),
        ({"address": "tcp://127.0.0.1:x"}, lumabraid.AddressError, "cannot connect to 'tcp://127.0.0.1:x'"),
        ({"policy": "newest"}, ValueError, "policy is 'latest' or 'every', got 'newest'"),
        ({"topic": "fused/h264"}, ValueError, "use policy='every'"),
        ({"timeout_s": -1}, ValueError, "timeout_s .* got -1"),
        ({"queue_frames": 0}, ValueError, "queue_frames .* got 0"),
        ({"keys": "mine.key_secret"}, ValueError, "only with server_key"),
        ({"timeout_s": math.inf}, ValueError, "timeout_s .* got inf"),
        ({"server_key": b"short"}, lumabraid.KeyFileError, "a key is 40 characters of Z85, got 5 bytes"),
        ({"server_key": b"~" * 40}, lumabraid.KeyFileError, "a key is 40 characters of Z85"),
        ({"server_key": "missing.key"}, lumabraid.KeyFileError, "cannot read key file missing.key"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Subscriber(**{"address": "tcp://127.0.0.1:5555", **arguments})
