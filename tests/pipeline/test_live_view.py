"""What a person sees of a live run: the panel's lines, and lines where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline import live_view
from pipeline.account import AccountSnapshot
from pipeline.channel import ChannelCounters
from pipeline.latency import LatencySummary, StageTimes
from pipeline.live_view import LiveFigures, exposure_text, panel_rows
from pipeline.recent import Recent
from pipeline.report import Report, StageReport
from stages.bracket import BracketSettings, BracketState
from stages.frame import Exposure

RECENT = Recent(25.0, 24.8, LatencySummary(44.4, 50.0, 61.2, 70.0))


def report(*, captured: int = 300, fused: int = 280, recent: Recent = RECENT) -> Report:
    fast, slow = LatencySummary(0.1, 0.2, 0.3, 0.4), LatencySummary(30.0, 40.0, 50.0, 60.0)
    return Report(
        state="running",
        account=AccountSnapshot(captured, fused, {"fusion": {"overtaken by newer frames": 18}}, {}, 2),
        wall_s=3723.0,
        fps=20.0,
        latency=slow,
        recent=recent,
        stages={
            "capture": StageReport(StageTimes(300, 300, 1.0, slow), None),
            "pairing": StageReport(StageTimes(300, 300, 1.0, fast), ChannelCounters(1, 1, 0, 0, 1)),
            "fusion": StageReport(StageTimes(280, 280, 1.0, slow), ChannelCounters(2, 1, 0, 1, 1)),
        },
    )


def bracket(note: str = "", *, settled: bool = True) -> BracketState:
    return BracketState(
        settings=BracketSettings(),
        under=Exposure(800.0),
        over=Exposure(20_000.0, 2.0),
        settled=settled,
        control_delay_frames=2,
        note=note,
    )


def figures(made: Report, state: BracketState | None = None, ratio_stops: float | None = 3.04) -> LiveFigures:
    return LiveFigures(
        report=made,
        title="rtsp://camera/stream",
        size=(1280, 720),
        ratio_stops=ratio_stops,
        bracket=state,
        outputs=(("preview", "http://127.0.0.1:8080/"), ("record", "recordings")),
    )


def test_the_panel_tells_pace_latency_exposures_stages_losses_and_outputs() -> None:
    assert list(panel_rows(figures(report(), bracket()))) == [
        ("frames", "25.0 fps in, 24.8 fps out, 280 fused"),
        ("latency", "44 ms, p99 61 ms"),
        ("exposures", "1/1250 s and 1/50 s gain 2.0, 3.0 stops apart; settled"),
        ("stages", "fusion 30 ms (1 waiting)"),
        ("dropped", "18 in fusion: overtaken by newer frames"),
        ("preview", "http://127.0.0.1:8080/"),
        ("record", "recordings"),
    ]


def test_before_the_first_frame_it_tells_what_is_waited_for() -> None:
    nothing = report(captured=0, fused=0)
    assert next(panel_rows(figures(nothing))) == ("frames", "waiting for the first")
    trying = bracket("trying whether the camera obeys", settled=False)
    assert next(panel_rows(figures(nothing, trying))) == ("frames", "trying whether the camera obeys")


def test_a_source_that_stalls_shows_at_once() -> None:
    rows = dict(panel_rows(figures(report(recent=Recent()))))
    assert rows["frames"] == "none came in the last 2 s, 280 fused"
    assert rows["latency"] == "-"


@pytest.mark.parametrize(
    ("state", "ratio_stops", "told"),
    [
        (None, None, "no pair yet"),
        (None, 2.96, "3.0 stops apart"),
        (bracket(settled=False), 2.96, "1/1250 s and 1/50 s gain 2.0, 3.0 stops apart; settling"),
        (bracket("the camera ignores exposure commands"), None, "no pair yet; the camera ignores exposure commands"),
    ],
)
def test_exposures(state: BracketState | None, ratio_stops: float | None, told: str) -> None:
    assert dict(panel_rows(figures(report(), state, ratio_stops)))["exposures"].endswith(told)


@pytest.mark.parametrize(
    ("exposure", "text"),
    [
        (Exposure(100.0), "1/10000 s"),
        (Exposure(33_333.0, 1.04), "1/30 s"),
        (Exposure(500_000.0, 8.0), "0.5 s gain 8.0"),
    ],
)
def test_exposures_are_written_as_photographers_do(exposure: Exposure, text: str) -> None:
    assert exposure_text(exposure) == text


def test_the_panel_fits_a_terminal_of_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    console.print(live_view._panel(figures(report(), bracket())))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) == 80
    assert "rtsp://camera/stream 1280x720 1:02:03" in lines[0]
    assert "Ctrl-C finishes and ends" in lines[-1]
    assert any("http://127.0.0.1:8080/" in line for line in lines)


def test_without_a_terminal_a_line_comes_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("pipeline.live_view.time.monotonic", lambda: now_s[0])
    with live_view.live_view() as view:
        for _ in range(12):
            now_s[0] += 1.0
            view.show(figures(report()))
    assert capsys.readouterr().err.splitlines() == 2 * [
        "rtsp://camera/stream: 25.0 fps in, 24.8 fps out, latency 44 ms, p99 61 ms, 3.0 stops apart, "
        "18 dropped (overtaken by newer frames)"
    ]
