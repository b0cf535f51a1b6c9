"""Which stage's thread goes first."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.precedence import give_way


def niceness(stage: str) -> tuple[int, int]:
    """Of a thread that gave way for a stage, and of one that it started then."""

    def own() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> tuple[int, int]:
        give_way(stage)
        with ThreadPoolExecutor(1) as helper:
            return own(), helper.submit(own).result()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a thread's on Linux alone")
def test_alignment_goes_first_and_the_process_stays_as_it_is() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness("alignment") == (before, before)
    own, helpers = niceness("fusion")
    assert own == helpers == min(19, before + 10)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_where_niceness_is_refused_all_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    own, helpers = niceness("fusion")
    assert own == helpers == os.getpriority(os.PRIO_PROCESS, 0)
