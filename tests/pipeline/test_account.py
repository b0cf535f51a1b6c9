"""Every captured frame ends in exactly one way, and the account balances at every moment."""

from __future__ import annotations

import threading

import pytest

from pipeline.account import Account, AccountError, AccountSnapshot


def account_with(*indices: int) -> Account:
    account = Account()
    for index in indices:
        account.captured(index)
    return account


def test_captured_is_fused_plus_dropped_plus_failed() -> None:
    account = account_with(*range(6))
    account.fused(0)
    account.dropped(1, "pairing", "scene cut")
    account.dropped(2, "pairing", "scene cut")
    account.dropped(3, "fusion", "overtaken by newer frames")
    account.failed(4, "error in encoding")
    snapshot = account.snapshot()
    assert snapshot == AccountSnapshot(
        captured=6,
        fused=1,
        dropped={"pairing": {"scene cut": 2}, "fusion": {"overtaken by newer frames": 1}},
        failed={"error in encoding": 1},
        in_flight=1,
    )
    assert (snapshot.dropped_total, snapshot.failed_total) == (3, 1)
    assert snapshot.balances


def test_close_fails_what_is_still_in_flight() -> None:
    account = account_with(0, 1, 2)
    account.fused(1)
    account.close("aborted")
    snapshot = account.snapshot()
    assert snapshot.failed == {"aborted": 2}
    assert snapshot.in_flight == 0
    assert snapshot.balances


def test_a_frame_cannot_end_twice() -> None:
    account = account_with(0)
    account.fused(0)
    with pytest.raises(AccountError, match="frame 0 had already ended"):
        account.dropped(0, "fusion", "late")
    with pytest.raises(AccountError, match="frame 0 had already ended"):
        account.failed(0, "late")
    assert account.snapshot().balances


def test_a_frame_that_was_never_captured_cannot_end() -> None:
    with pytest.raises(AccountError, match="frame 7 was never captured"):
        account_with(0).fused(7)


def test_indices_rise_and_may_have_gaps() -> None:
    account = account_with(0, 3)
    for index in (3, 2):
        with pytest.raises(AccountError, match=f"frame {index} was captured after frame 3"):
            account.captured(index)
    assert account.snapshot().captured == 2


def test_what_a_stage_left_behind_reports_after_the_end_changes_nothing() -> None:
    account = account_with(0)
    account.close("aborted")
    before = account.snapshot()
    account.captured(1)
    assert account.fused(0) is None
    account.dropped(0, "fusion", "late")
    account.failed(0, "late")
    assert account.snapshot() == before


def test_an_account_that_does_not_add_up_says_so() -> None:
    assert not AccountSnapshot(captured=3, fused=1, dropped={}, failed={}, in_flight=1).balances


def test_fused_tells_the_time_since_capture() -> None:
    age_s = account_with(0).fused(0)
    assert age_s is not None
    assert age_s >= 0


def test_counts_from_many_threads_add_up() -> None:
    account = account_with(*range(4000))

    def end(first: int) -> None:
        for index in range(first, 4000, 4):
            if first == 0:
                account.fused(index)
            elif first == 1:
                account.failed(index, "failed")
            else:
                account.dropped(index, f"stage {first}", "dropped")

    threads = [threading.Thread(target=end, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert account.snapshot().balances
    snapshot = account.snapshot()
    assert snapshot.fused == snapshot.failed_total == 1000
    assert snapshot.dropped_total == 2000
    assert snapshot.balances
