"""``lumabraid evaluate``: pairs in; a table, JSON and a report out."""

from __future__ import annotations

import base64
import json
import re
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.evaluation.metrics.judge import METRICS
from pipeline.evaluation.table import best_methods
from pipeline.evaluation.zooms import most_different
from tests.evaluation.scenes import exposed, write, write_pair


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for seed, name in enumerate(("Cave", "Cave_2")):
        write_pair(tmp_path / "pairs" / name, seed=seed)
    return tmp_path / "pairs"


def evaluate(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments)])


def rows(printed: str) -> dict[str, list[str]]:
    """The table's lines by method."""
    table = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    return {row[0]: row[1:] for row in table}


def test_the_table_has_every_method_and_metric(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(pairs) == 0
    table = rows(capsys.readouterr().out)
    assert table["method"] == ["pairs", *(metric.title for metric in METRICS.values())]
    methods = ["plain average", "MergeMertens", "Debevec+Drago", "lcndr full", "lcndr stream"]
    assert set(methods) <= set(table)
    assert all(table[method][0] == "2" for method in methods)
    structure = {method: float(table[method][1].rstrip("*")) for method in methods}
    assert structure["plain average"] < structure["MergeMertens"] <= 1
    assert 0.95 < structure["lcndr stream"] <= 1
    assert sum(table[method][1].endswith("*") for method in table if method != "method") >= 1


def test_the_json_has_the_settings_and_every_value(pairs: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert evaluate(pairs, "--mode", "stream", "--longest-side", 80, "--json", file) == 0
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["settings"]["longest_side"] == 80
    assert record["settings"]["models"] == ["lcndr"]
    assert list(record["metrics"]) == list(METRICS)
    assert [pair["name"] for pair in record["pairs"]] == ["Cave", "Cave_2"]
    assert record["pairs"][0]["width"] == 80
    values = [pair["scores"]["lcndr stream"]["q_abf"] for pair in record["pairs"]]
    assert record["mean"]["lcndr stream"]["q_abf"] == pytest.approx(np.mean(values))
    assert record["failures"] == []


def test_the_report_holds_its_pictures_itself(pairs: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert evaluate(pairs, "--mode", "stream", "--html", file) == 0
    page = file.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "url(" not in page
    for name in ("Cave", "Cave_2", "under", "over", "MergeMertens", "lcndr stream"):
        assert name in page
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) for data in pictures]
    assert len(decoded) >= 2 * 2 * 6
    assert all(picture is not None for picture in decoded)
    assert "MEF-SSIM 0." in page
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_results_of_another_program_are_matched_by_name(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "others"
    for name, file in (("Cave", "Cave_OTHER.png"), ("Cave_2", "cave_2_OTHER.png")):
        for place in (others / file, tmp_path / "same" / f"{name}.png"):
            write(place, cv2.imread(str(pairs / name / "bright.png")))
    arguments = ["--mode", "stream", "--results", f"other={others}", "--results", f"same={tmp_path / 'same'}"]
    assert evaluate(pairs, *arguments, "--longest-side", 60) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    table = rows(captured.out)
    assert table["other"] == table["same"]
    assert table["other"][0] == "2"


def test_what_cannot_be_used_is_a_line_and_the_rest_goes_on(
    pairs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (pairs / "Broken").mkdir()
    (pairs / "Broken" / "a.jpg").write_bytes(b"no picture")
    write(pairs / "Broken" / "b.jpg", exposed(1))
    write(tmp_path / "others" / "Cave_2.png", exposed(0, width=50, height=50))
    file = tmp_path / "figures.json"
    arguments = ["--mode", "stream", "--results", f"other={tmp_path / 'others'}", "--json", file]
    assert evaluate(pairs, *arguments, "--html", tmp_path / "report.html") == 0
    captured = capfd.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("lumabraid: Broken left out: ")
    assert "a.jpg is no picture" in lines[0]
    assert "Cave left out for other: 0 pictures in" in lines[1]
    assert "Cave_2 left out for other: " in lines[2]
    assert "50x50" in lines[2]
    table = rows(captured.out)
    assert "other" not in table
    assert table["lcndr stream"][0] == "2"
    assert len(json.loads(file.read_text(encoding="utf-8"))["failures"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--results", "other"], "NAME=FOLDER"),
        (["--results", "other=nowhere"], "no such folder"),
        (["--model", "nothing"], "no model nothing"),
        (["--json", "nowhere/figures.json"], "does not exist"),
        (["--model", "lcndr", "--model", "lcndr"], "two methods are named lcndr full"),
    ],
)
def test_mistakes_are_one_line(
    pairs: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(pairs, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_pairs_none_of_which_can_be_read_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pair(tmp_path / "pairs" / "Cave", "a.png", "b.png")
    (tmp_path / "pairs" / "Cave" / "a.png").write_bytes(b"")
    assert evaluate(tmp_path / "pairs", "--mode", "stream") == 2
    assert "none of 1 pairs" in capsys.readouterr().err


def test_enfuse_takes_part_where_it_is_installed(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "enfuse"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncp "$4" "$2"\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert evaluate(pairs, "--mode", "stream") == 0
    assert rows(capsys.readouterr().out)["enfuse"][0] == "2"


def test_the_best_values_share_the_mark_when_they_look_the_same() -> None:
    scores = {"a": dict.fromkeys(METRICS, 0.50001), "b": dict.fromkeys(METRICS, 0.50002)}
    scores["c"] = dict.fromkeys(METRICS, 0.4)
    assert best_methods(scores, "mef_ssim") == {"a", "b"}
    assert best_methods(scores, "clipped") == {"c"}
    assert best_methods(scores, "saturation") == {"a", "b"}
    assert best_methods({"a": scores["a"]}, "mef_ssim") == set()


def test_zooms_show_where_results_differ() -> None:
    plain = exposed(0, width=400, height=300)
    other = plain.copy()
    other[40:80, 300:340] //= 3
    other[200:240, 20:60:4] = 255
    regions = most_different([plain, other, plain], 2, 56)
    inside = sorted((region.left // 200, region.top // 150) for region in regions)
    assert inside == [(0, 1), (1, 0)]
    for region in regions:
        assert region.cut(plain).shape == (56, 56, 3)
