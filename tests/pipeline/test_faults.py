"""A stage that raises, hangs or is slow, in every place and under every policy: the run ends, nobody is left
behind, the first cause is named, the account balances."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from stages.errors import DamagedSourceError, EncodeError, LumabraidError, PairingError, SourceError

POLICIES = ("block", "drop_oldest", "latest")
STAGES = ("capture", "pairing", "fusion", "encoding")
PLACES = [
    ("capture", "open"),
    ("capture", "read"),
    ("capture", "close"),
    *((stage, step) for stage in STAGES[1:] for step in ("open", "process", "flush", "close")),
]
SHORT_GRACE_S = 0.03
"""Long enough for a stage that hangs; the others may be called stuck too, on a busy machine."""

every_place = pytest.mark.parametrize("place", PLACES, ids="-".join)
every_policy = pytest.mark.parametrize("policy", POLICIES)

Behaviour = Callable[[int | None], None]


def raises(error: BaseException, *, at: int | None = None) -> Behaviour:
    """Raise at that frame, or at once."""

    def behaviour(index: int | None) -> None:
        if at is None or index == at:
            raise error

    return behaviour


def on_call(number: int, action: Behaviour) -> Behaviour:
    """Act the first, second, ... time the step begins."""
    calls = itertools.count(1)

    def behaviour(index: int | None) -> None:
        if next(calls) == number:
            action(index)

    return behaviour


def assert_opened_stages_are_closed_once(rig: Any) -> None:
    for name in STAGES:
        assert rig.steps_of(name).count("close") == rig.steps_of(name).count("open") <= 1


@every_policy
@every_place
def test_a_stage_that_raises_ends_the_run(rig: Any, place: tuple[str, str], policy: str) -> None:
    stage, step = place
    rig.behaviours[place] = raises(ValueError("the lens\nfell off"))
    outcome = rig.run(policy=policy)
    failure = outcome.report.failure
    assert outcome.report.state == "failed"
    assert (failure.stage, failure.step) == place
    assert (failure.frame_index is not None) == (step in ("read", "process"))
    assert outcome.error is failure.error
    where = f"at frame {failure.frame_index}" if step in ("read", "process") else f"in {step}"
    assert str(outcome.error) == f"{stage} failed {where}: ValueError: the lens fell off; --debug shows where"
    assert isinstance(outcome.error.__cause__, ValueError)
    assert outcome.report.stuck == ()
    assert_opened_stages_are_closed_once(rig)


@every_policy
@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_stage_that_raises_in_the_middle_of_an_endless_stream_ends_it(rig: Any, stage: str, policy: str) -> None:
    rig.behaviours[stage, "process"] = on_call(3, raises(MemoryError()))
    outcome = rig.run(count=None, policy=policy, capacity=2)
    failure = outcome.report.failure
    assert (failure.stage, failure.step) == (stage, "process")
    assert f"{stage} failed at frame {failure.frame_index}: MemoryError;" in str(outcome.error)
    assert outcome.report.account.failed.keys() == {f"error in {stage}"}
    assert "flush" not in rig.steps_of("encoding")
    assert_opened_stages_are_closed_once(rig)


@every_policy
@every_place
def test_a_stage_that_hangs_is_left_behind_after_abort(rig: Any, place: tuple[str, str], policy: str) -> None:
    rig.behaviours[place] = rig.hang
    runner = rig.start(policy=policy, grace_s=SHORT_GRACE_S)
    assert rig.hanging.wait(20)
    runner.abort()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.state == "aborted"
    assert place[0] in outcome.report.stuck


@every_policy
@every_place
def test_a_slow_stage_delays_and_breaks_nothing(rig: Any, place: tuple[str, str], policy: str) -> None:
    rig.behaviours[place] = lambda _: time.sleep(0.003)
    outcome = rig.run(policy=policy)
    assert outcome.error is None
    account = outcome.report.account
    assert account.captured == account.fused + account.dropped_total == 8
    assert account.fused == len(rig.sunk)
    assert policy != "block" or account.fused == 8
    assert_opened_stages_are_closed_once(rig)


@every_policy
@pytest.mark.parametrize(
    ("hanging", "hanging_call", "raising", "raising_call", "count"),
    [
        (("capture", "read"), 2, ("encoding", "process"), 1, None),
        (("capture", "close"), 1, ("pairing", "flush"), 1, 8),
        (("pairing", "process"), 2, ("fusion", "process"), 1, None),
        (("encoding", "process"), 1, ("pairing", "process"), 2, None),
        (("encoding", "process"), 1, ("fusion", "flush"), 1, 8),
    ],
)
def test_an_error_beside_a_stage_that_hangs_is_reported_and_the_stage_named(
    rig: Any,
    hanging: tuple[str, str],
    hanging_call: int,
    raising: tuple[str, str],
    raising_call: int,
    count: int | None,
    policy: str,
) -> None:
    def raise_when_it_hangs(_: int | None) -> None:
        assert rig.hanging.wait(20)
        raise EncodeError("disk full")

    rig.delay = 0
    rig.behaviours[hanging] = on_call(hanging_call, rig.hang)
    rig.behaviours[raising] = on_call(raising_call, raise_when_it_hangs)
    outcome = rig.run(count=count, policy=policy, capacity=8, grace_s=SHORT_GRACE_S)
    assert isinstance(outcome.error, EncodeError)
    assert outcome.report.failure.stage == raising[0]
    assert hanging[0] in outcome.report.stuck


def test_an_error_beside_a_stage_that_hangs_while_it_opens_is_reported(rig: Any) -> None:
    def raise_when_it_hangs(_: int | None) -> None:
        assert rig.hanging.wait(20)
        raise EncodeError("disk full")

    rig.behaviours["fusion", "open"] = rig.hang
    rig.behaviours["pairing", "process"] = raise_when_it_hangs
    outcome = rig.run(policy="block", grace_s=SHORT_GRACE_S)
    assert isinstance(outcome.error, EncodeError)
    assert outcome.report.stuck == ("fusion",)


def test_only_the_stage_that_hangs_is_called_stuck(rig: Any) -> None:
    rig.behaviours["fusion", "process"] = rig.hang
    runner = rig.start()
    assert rig.hanging.wait(20)
    runner.abort()
    outcome = rig.outcome()
    assert outcome.report.stuck == ("fusion",)
    assert rig.steps_of("fusion") == ["open", "process"], "close belongs to the thread that hangs"
    assert rig.steps_of("encoding")[-1] == "close"


def test_what_a_stage_left_behind_gives_later_changes_no_final_report(rig: Any, until: Any) -> None:
    rig.behaviours["encoding", "process"] = lambda index: rig.hang() if index == 3 else None
    runner = rig.start(grace_s=SHORT_GRACE_S)
    assert rig.hanging.wait(20)
    runner.abort()
    before = rig.outcome().report.account
    rig.released.set()
    until(lambda: rig.steps_of("encoding")[-1] == "close")
    assert len(rig.sunk) == before.fused + 1, "the sink did finish one more"
    assert runner.report().account == before


@pytest.mark.parametrize(
    "error",
    [SourceError("clip.mp4: holds no video"), PairingError("constant exposure"), EncodeError("disk full")],
)
def test_an_error_for_the_user_arrives_as_it_was_raised(rig: Any, error: LumabraidError) -> None:
    rig.behaviours["pairing", "process"] = raises(error, at=4)
    outcome = rig.run()
    assert outcome.error is error
    assert outcome.report.failure.frame_index == 4
    assert outcome.report.to_dict()["error"] == {
        "stage": "pairing",
        "step": "process",
        "frame": 4,
        "type": type(error).__name__,
        "message": str(error),
    }


@every_policy
def test_before_a_damaged_spot_everything_is_fused_and_kept(rig: Any, policy: str) -> None:
    error = DamagedSourceError("clip.mp4: broken after frame 4")
    rig.behaviours["capture", "read"] = raises(error, at=5)
    outcome = rig.run(policy=policy, capacity=8)
    assert outcome.error is error
    assert outcome.report.state == "failed"
    assert outcome.report.failure.frame_index == 5
    assert all(rig.steps_of(name)[-2:] == ["flush", "close"] for name in STAGES[1:])
    account = outcome.report.account
    assert account.captured == 5
    assert account.failed == {}
    if policy == "block":
        assert rig.sunk == [0, 1, 2, 3, 4]


def test_an_unexpected_error_in_read_keeps_what_came_before_too(rig: Any) -> None:
    rig.behaviours["capture", "read"] = raises(OSError("connection lost"), at=2)
    outcome = rig.run()
    assert str(outcome.error).startswith("capture failed at frame 2: OSError: connection lost;")
    assert rig.sunk == [0, 1]


def test_damage_before_the_first_frame_ends_the_run_at_once(rig: Any) -> None:
    error = DamagedSourceError("clip.mp4: no frame can be read")
    rig.behaviours["capture", "read"] = raises(error)
    assert rig.run().error is error
    assert "flush" not in rig.steps_of("encoding")


def test_the_first_cause_is_reported_not_its_consequence(rig: Any) -> None:
    cause = DamagedSourceError("clip.mp4: broken after frame 0")
    rig.behaviours["capture", "read"] = raises(cause, at=1)
    rig.behaviours["pairing", "flush"] = raises(PairingError("a single frame"))
    outcome = rig.run()
    assert outcome.error is cause
    assert outcome.report.account.failed == {"error in pairing": 1}


def test_errors_while_closing_after_an_error_are_not_reported(rig: Any) -> None:
    error = EncodeError("disk full")
    rig.behaviours["encoding", "process"] = raises(error, at=3)
    for name in STAGES:
        rig.behaviours[name, "close"] = raises(RuntimeError("closing"))
    assert rig.run().error is error


def test_what_breaks_because_of_an_abort_is_no_error(rig: Any, until: Any) -> None:
    for name in STAGES:
        rig.behaviours[name, "close"] = raises(RuntimeError("closing"))
    runner = rig.start(count=None)
    until(lambda: rig.sunk)
    runner.abort()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.failure is None
    assert outcome.report.state == "aborted"


def test_a_source_that_raises_in_close_does_not_cost_the_frames(rig: Any) -> None:
    rig.behaviours["capture", "close"] = raises(RuntimeError("closing"))
    outcome = rig.run()
    assert "capture failed in close: RuntimeError: closing" in str(outcome.error)
    assert outcome.report.account.fused == 8
    assert rig.steps_of("encoding")[-2:] == ["flush", "close"]


def test_an_error_while_draining_after_stop_is_reported(rig: Any, until: Any) -> None:
    error = EncodeError("disk full")
    rig.behaviours["encoding", "flush"] = raises(error)
    runner = rig.start(count=None)
    until(lambda: rig.sunk)
    runner.stop()
    assert rig.outcome().error is error


@pytest.mark.parametrize(("stage", "given"), [("fusion", "Done"), ("encoding", "Frame")], ids=["middle", "sink"])
def test_only_the_sink_says_done_and_says_nothing_else(rig: Any, stage: str, given: str) -> None:
    rig.behaviours[stage, "open"] = lambda _: setattr(rig.fakes[stage], "is_sink", not rig.fakes[stage].is_sink)
    outcome = rig.run()
    assert f"{stage} failed at frame 1: TypeError: only the last stage gives Done" in str(outcome.error)
    assert f"got {given}" in str(outcome.error)


def test_a_frame_that_ends_twice_is_a_fault_of_the_stage_that_ended_it(rig: Any) -> None:
    rig.behaviours["encoding", "process"] = lambda index: (
        rig.fakes["encoding"].held.insert(0, rig.fakes["encoding"].held[0]) if index == 2 else None
    )
    outcome = rig.run()
    assert "encoding failed at frame 3: AccountError: frame 1 had already ended" in str(outcome.error)
