"""A run delivers every frame in order, drains when stopped, drops only where it may, and says what it did."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.report import Report
from pipeline.runner import Runner
from stages.errors import LumabraidError

STAGES = ("capture", "pairing", "fusion", "encoding")
OVERTAKEN = "overtaken by newer frames"
OVERTAKEN_EARLY = "overtaken before the first was fused"

Until = Callable[[Callable[[], object]], None]


def test_every_frame_arrives_in_order(rig: Any) -> None:
    outcome = rig.run(count=200)
    assert outcome.error is None
    assert rig.sunk == list(range(200))
    assert outcome.report.state == "complete"
    assert outcome.report.account.captured == outcome.report.account.fused == 200
    assert outcome.report.stuck == ()


def test_each_stage_lives_in_one_thread_of_its_name(rig: Any) -> None:
    rig.run()
    assert {(stage, thread) for stage, _, thread in rig.steps} == {(name, name) for name in STAGES}
    for name in STAGES[1:]:
        assert rig.steps_of(name) == ["open", *["process"] * 8, "flush", "close"]


def test_stages_open_in_order_and_each_hands_its_description_to_the_next(rig: Any) -> None:
    rig.run()
    assert [stage for stage, step, _ in rig.steps if step == "open"] == list(STAGES)
    for name, before in zip(STAGES[1:], STAGES, strict=False):
        assert [info.name for info in rig.fakes[name].infos] == [f"opened by {before}"]


def test_an_empty_stream_is_flushed_and_closed(rig: Any) -> None:
    outcome = rig.run(count=0)
    assert outcome.error is None
    assert outcome.report.account.captured == 0
    assert rig.steps_of("encoding") == ["open", "flush", "close"]


def test_block_never_drops_behind_a_slow_sink(rig: Any) -> None:
    rig.behaviours["encoding", "process"] = lambda _: time.sleep(0.002)
    outcome = rig.run(count=60, capacity=2, policy="block")
    assert rig.sunk == list(range(60))
    assert outcome.report.account.dropped == {}
    assert all(stage.queue is None or stage.queue.high_water <= 2 for stage in outcome.report.stages.values())


@pytest.mark.parametrize(("policy", "kept"), [("drop_oldest", [17, 18, 19]), ("latest", [19])])
def test_a_dropping_policy_keeps_the_newest_and_accounts_for_the_rest(
    rig: Any, until: Until, policy: str, kept: list[int]
) -> None:
    # fusion holds frame 1 until pairing has handed on all others: what waits then is exactly the newest.
    rig.delay = 0
    rig.behaviours["fusion", "process"] = lambda index: (
        until(lambda: "close" in rig.steps_of("pairing")) if index == 1 else None
    )
    rig.behaviours["pairing", "process"] = lambda index: until(
        lambda: rig.sunk if index == 1 else index != 2 or rig.steps_of("fusion").count("process") == 2
    )
    outcome = rig.run(count=20, capacity=3, policy=policy)
    account = outcome.report.account
    assert outcome.error is None
    assert account.captured == 20
    dropped_before_fusion = account.dropped["fusion"][OVERTAKEN]
    assert dropped_before_fusion == 18 - len(kept)
    # before encoding some may be overtaken too, depending on who is faster
    dropped_before_encoding = account.dropped.get("encoding", {}).get(OVERTAKEN, 0)
    assert account.fused == len(rig.sunk) == 20 - dropped_before_fusion - dropped_before_encoding
    assert rig.sunk == sorted(rig.sunk)
    assert set(rig.sunk) <= {0, 1, *kept}


def test_what_is_overtaken_before_anything_was_fused_is_told_apart(rig: Any, until: Until) -> None:
    rig.behaviours["fusion", "process"] = lambda index: (
        until(lambda: "close" in rig.steps_of("pairing")) if index == 0 else None
    )
    rig.behaviours["pairing", "process"] = lambda index: (
        until(lambda: "process" in rig.steps_of("fusion")) if index == 2 else None
    )
    account = rig.run(count=20, policy="latest").report.account
    assert account.dropped["fusion"] == {OVERTAKEN_EARLY: 18}


def test_where_nothing_is_dropped_frames_are_read_while_stages_open(rig: Any, until: Until) -> None:
    rig.behaviours["encoding", "open"] = lambda _: until(lambda: "read" in rig.steps_of("capture"))
    assert rig.run(policy="block").error is None


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_no_frame_is_read_while_stages_open_only_to_be_dropped(rig: Any, policy: str) -> None:
    rig.behaviours["encoding", "open"] = lambda _: time.sleep(0.1)
    assert rig.run(policy=policy).error is None
    steps = [(stage, step) for stage, step, _ in rig.steps]
    assert steps.index(("capture", "read")) > steps.index(("encoding", "open"))


def test_a_run_that_is_stopped_while_stages_open_reads_nothing(rig: Any) -> None:
    rig.behaviours["encoding", "open"] = rig.hang
    runner = rig.start(policy="latest")
    assert rig.hanging.wait(20)
    runner.stop()
    rig.released.set()
    outcome = rig.outcome()
    assert outcome.report.state == "stopped"
    assert rig.steps_of("capture") == ["open", "close"]


def test_an_error_while_stages_open_reads_nothing(rig: Any) -> None:
    def refuse(_: int | None) -> None:
        raise LumabraidError("no such model")

    rig.behaviours["fusion", "open"] = refuse
    outcome = rig.run(policy="latest")
    assert str(outcome.error) == "no such model"
    assert outcome.report.stuck == ()
    assert rig.steps_of("capture") == ["open", "close"]


@pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
def test_the_source_is_never_dropped_from_so_that_pairs_stay_whole(rig: Any, policy: str) -> None:
    rig.behaviours["pairing", "process"] = lambda _: time.sleep(0.002)
    outcome = rig.run(count=40, capacity=1, policy=policy)
    assert rig.steps_of("pairing").count("process") == 40
    assert "pairing" not in outcome.report.account.dropped


def test_what_a_stage_drops_is_accounted_under_its_name(rig: Any) -> None:
    rig.drop_at = {"pairing": {0, 5}, "encoding": {3}}
    outcome = rig.run(count=8)
    assert outcome.report.account.dropped == {"pairing": {"told to": 2}, "encoding": {"told to": 1}}
    assert outcome.report.account.fused == 5


def test_what_a_stage_swallows_is_found_at_the_end(rig: Any) -> None:
    rig.behaviours["fusion", "flush"] = lambda _: rig.fakes["fusion"].held.clear()
    outcome = rig.run(count=8)
    assert outcome.error is None
    assert outcome.report.account.fused == 7
    assert outcome.report.account.failed == {"no stage gave anything for it": 1}


def test_stop_drains_and_flushes(rig: Any, until: Until) -> None:
    runner = rig.start(count=None)
    until(lambda: len(rig.sunk) > 20)
    runner.stop()
    outcome = rig.outcome()
    account = outcome.report.account
    assert outcome.error is None
    assert outcome.report.state == "stopped"
    assert account.captured == account.fused == len(rig.sunk)
    assert rig.sunk == list(range(account.captured))
    assert all(rig.steps_of(name)[-2:] == ["flush", "close"] for name in STAGES[1:])


def test_stop_before_the_first_frame_gives_up(rig: Any) -> None:
    runner = rig.build(count=None)
    runner.stop()
    report = runner.run()
    assert report.state == "stopped"
    assert report.account.captured == 0
    assert "flush" not in rig.steps_of("encoding")


def test_stop_does_not_wait_for_a_source_that_hangs(rig: Any) -> None:
    rig.behaviours["capture", "read"] = lambda index: rig.hang() if index == 5 else None
    runner = rig.start(grace_s=0.1)
    assert rig.hanging.wait(20)
    runner.stop()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.state == "stopped"
    assert outcome.report.stuck == ("capture",)
    assert rig.sunk == [0, 1, 2, 3, 4]
    assert rig.steps_of("encoding")[-2:] == ["flush", "close"]


def test_stop_interrupts_a_source_that_waits(rig: Any) -> None:
    rig.behaviours["capture", "read"] = lambda index: rig.hang() if index == 5 else None
    rig.interrupt = rig.released.set
    runner = rig.start()
    assert rig.hanging.wait(20)
    runner.stop()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.stuck == ()
    assert outcome.report.account.captured == outcome.report.account.fused == 5


def test_a_frame_that_comes_after_stop_is_let_go(rig: Any, until: Until) -> None:
    def wait_for_the_source(_: int | None) -> None:
        rig.released.set()
        until(lambda: "close" in rig.steps_of("capture"))

    rig.behaviours["capture", "read"] = lambda index: rig.hang() if index == 5 else None
    rig.behaviours["encoding", "flush"] = wait_for_the_source
    runner = rig.start()
    assert rig.hanging.wait(20)
    runner.stop()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.stuck == ()
    assert outcome.report.account.captured == outcome.report.account.fused == 5


def test_abort_gives_up_at_once(rig: Any, until: Until) -> None:
    runner = rig.start(count=None)
    until(lambda: len(rig.sunk) > 20)
    runner.abort()
    outcome = rig.outcome()
    assert outcome.error is None
    assert outcome.report.state == "aborted"
    assert set(outcome.report.account.failed) <= {"aborted"}
    assert outcome.report.stuck == ()
    assert all(rig.steps_of(name)[-1] == "close" and "flush" not in rig.steps_of(name) for name in STAGES)


def test_progress_is_called_in_the_callers_thread_and_at_the_end(rig: Any) -> None:
    seen: list[tuple[str, Report]] = []
    rig.run(count=50, on_progress=lambda report: seen.append((threading.current_thread().name, report)))
    assert {thread for thread, _ in seen} == {"caller"}
    assert all(report.account.balances for _, report in seen)
    assert seen[0][1].state == "running"
    assert seen[-1][1].state == "complete"
    assert seen[-1][1].account.fused == 50


def test_an_error_of_the_progress_callback_ends_the_run(rig: Any) -> None:
    def broken(_: Report) -> None:
        raise BrokenPipeError

    runner = rig.build(count=None, on_progress=broken)
    with pytest.raises(BrokenPipeError):
        runner.run()
    assert runner.report().state == "aborted"
    assert runner.report().account.balances


def test_the_report_counts_and_times_each_stage(rig: Any) -> None:
    rig.behaviours["fusion", "process"] = lambda _: time.sleep(0.01)
    report = rig.run(count=40, capacity=1).report
    assert list(report.stages) == list(STAGES)
    assert [(stage.times.items_in, stage.times.items_out) for stage in report.stages.values()] == [(40, 40)] * 4
    fusion = report.stages["fusion"].times
    assert 10 <= fusion.latency.p50_ms <= fusion.latency.p99_ms <= fusion.latency.max_ms
    assert report.latency.p50_ms >= 10
    assert fusion.busy_s >= 0.4
    assert report.stages["pairing"].times.busy_s < fusion.busy_s / 2, "waiting for a neighbour is not work"
    assert report.fps > 0
    assert report.wall_s >= 0.4


def test_the_report_is_json_and_takes_the_callers_keys(rig: Any) -> None:
    report = replace(rig.run(count=3).report, extra={"model": "lcndr", "device": "cpu"})
    data = json.loads(json.dumps(report.to_dict()))
    assert (data["captured"], data["fused"], data["dropped"], data["failed"]) == (3, 3, {}, 0)
    assert (data["model"], data["device"], data["state"]) == ("lcndr", "cpu", "complete")
    assert data["error"] is None
    assert list(data["stages"]) == list(STAGES)
    assert set(data["stages"]["fusion"]["latency"]) == {"p50_ms", "p95_ms", "p99_ms", "max_ms"}


def test_a_runner_runs_once(rig: Any) -> None:
    runner = rig.build()
    runner.run()
    with pytest.raises(RuntimeError, match="once"):
        runner.run()


@pytest.mark.parametrize("names", [[], ["fusion", "fusion"], ["capture"]])
def test_names_must_differ_and_there_must_be_a_sink(names: list[str]) -> None:
    player: Any = object()
    with pytest.raises(ValueError, match="different names"):
        Runner(player, [(name, player) for name in names])
