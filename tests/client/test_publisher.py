"""Publishers: send what is asked for, number it without holes, wait for nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import lumabraid
import numpy as np
import pytest
from lumabraid import Header, MessageError, Publisher, Subscriber

HEADER = Header(index=0, pts=0, time_base=(1, 25), encoding="gray8", width=4, height=2)
PIXELS = np.arange(8, dtype=np.uint8).reshape(2, 4)


def start(program: str, address: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE, text=True)


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


def test_nothing_is_sent_and_nothing_numbered_without_a_reader(station: Any) -> None:
    station.send()
    assert not station.publisher.has_reader(station.topic)
    with Subscriber(station.address, timeout_s=10) as frames:
        station.wait_for_reader()
        station.send()
        header = frames.read().header
    assert (header.index, header.seq) == (1, 0)


def test_a_reader_that_leaves_is_noticed(station: Any) -> None:
    with Subscriber(station.address):
        station.wait_for_reader()
    deadline_s = time.monotonic() + 10
    while station.publisher.has_reader(station.topic):
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_a_received_frame_can_be_published_again(station: Any) -> None:
    with (
        Publisher("tcp://127.0.0.1:*") as relay,
        Subscriber(station.address, timeout_s=10) as near,
        Subscriber(relay.address, timeout_s=10) as far,
    ):
        station.wait_for_reader()
        assert relay.wait_for_reader(station.topic, 10)
        station.send()
        frame = near.read()
        assert relay.publish("fused", frame.header, frame.payload)
        again = far.read()
    np.testing.assert_array_equal(again.luma, frame.luma)
    assert again.header.pts == frame.header.pts
    assert again.header.stream == relay.stream


def test_a_header_that_does_not_fit_its_payload_is_refused() -> None:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        for payload in ([PIXELS[:1]], [PIXELS, PIXELS], []):
            with pytest.raises(MessageError, match="gray8 of 4x2"):
                publisher.publish("fused", HEADER, payload)


def test_ipc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The path of a Unix socket is short: at most 107 bytes.
    monkeypatch.chdir(tmp_path)
    with (
        Publisher("ipc://stream") as publisher,
        Subscriber("ipc://stream", topic="under/gray8", timeout_s=10) as frames,
    ):
        assert publisher.wait_for_reader("under/gray8", 10)
        publisher.publish("under", HEADER, [PIXELS])
        np.testing.assert_array_equal(frames.read().gray, PIXELS)


def test_a_stuck_reader_holds_nobody_up() -> None:
    large = bytes(1 << 20)
    header = Header(index=0, pts=0, time_base=(1, 25), encoding="jpeg", width=4, height=2)
    program = (
        "import lumabraid, sys\n"
        "for frame in lumabraid.Subscriber(sys.argv[1], topic='fused/jpeg'):\n"
        "    print('received', flush=True)\n"
    )
    with Publisher("tcp://127.0.0.1:*") as publisher:
        reader = start(program, publisher.address)
        try:
            assert publisher.wait_for_reader("fused/jpeg", 20)
            publisher.publish("fused", header, [large])
            assert next_line(reader) == "received"
            reader.send_signal(signal.SIGSTOP)
            # Far more than the buffers on the way hold.
            for _ in range(100):
                publisher.publish("fused", header, [large])
        finally:
            end(reader)


def test_a_killed_publisher_is_replaced() -> None:
    program = (
        "import itertools, lumabraid, sys, time\n"
        "publisher = lumabraid.Publisher(sys.argv[1])\n"
        "print(publisher.address, flush=True)\n"
        "for index in itertools.count():\n"
        "    fields = dict(index=index, pts=index, time_base=(1, 25), encoding='gray8', width=1, height=1)\n"
        "    publisher.publish('fused', lumabraid.Header(**fields), [b'x'])\n"
        "    time.sleep(0.01)\n"
    )
    first = start(program, "tcp://127.0.0.1:*")
    processes = [first]
    try:
        address = next_line(first)
        with Subscriber(address, topic="fused/gray8", policy="every", timeout_s=20) as frames:
            stream = frames.read().header.stream
            first.kill()
            first.wait(10)
            processes.append(start(program, address))
            frame = next(frame for frame in frames if frame.header.stream != stream)
        assert frames.stats.restarts == 1
        assert frames.stats.before >= frame.header.seq
    finally:
        for process in processes:
            end(process)


def test_close_is_for_good() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.close()
    publisher.close()
    with pytest.raises(lumabraid.ClosedError, match="is closed"):
        publisher.publish("fused", HEADER, [PIXELS])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"address": "udp://127.0.0.1:5555"}, lumabraid.AddressError, "an address is"),
        ({"address": "tcp://203.0.113.1:5555"}, lumabraid.AddressError, "cannot bind to 'tcp://203.0.113.1:5555'"),
        ({"allowed_keys": []}, ValueError, "only with keys"),
        ({"keys": lumabraid.keys.new_key_pair(), "allowed_keys": "missing"}, lumabraid.KeyFileError, "not a folder"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Publisher(**{"address": "tcp://127.0.0.1:*", **arguments})
