"""The audience of the preview's benchmark: it gets what is shown, and takes no time that others want."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.audience import Audience, Seen
from tests.preview.conftest import PATIENCE_S, Stand


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.close()


def watch(audience: Audience, url: str) -> Seen:
    """A visit long enough for every viewer to get two pictures; on a busy machine that takes a while."""
    seconds = 0.5
    while True:
        audience.come(url)
        time.sleep(seconds)
        seen = audience.go()
        if min(seen.pictures) > 1:
            return seen
        seconds *= 2
        assert seconds < PATIENCE_S


@pytest.mark.parametrize("compete", [False, True])
def test_every_viewer_gets_pictures_each_time_it_comes(stand: Stand, compete: bool) -> None:
    server = stand.server()
    stand.stream(server)
    audience = Audience(3, compete=compete)
    try:
        for _ in range(2):
            seen = watch(audience, server.url or "")
            assert len(seen.pictures) == 3
            assert len(seen.ages_ms) == len(seen.delays_ms) == sum(seen.pictures) - 3
            assert all(0 <= delay < age for delay, age in zip(seen.delays_ms, seen.ages_ms, strict=True))
            assert seen.cpu_s > 0
    finally:
        audience.close()


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE is Linux's")
def test_viewers_take_what_is_left_unless_they_are_to_compete() -> None:
    for compete, policy in ((False, os.SCHED_IDLE), (True, os.SCHED_OTHER)):
        audience = Audience(1, compete=compete)
        try:
            assert os.sched_getscheduler(audience._process.pid or 0) == policy
        finally:
            audience.close()
