"""How many cores each stage of a pipeline works on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from pipeline import cores
from pipeline.assembly import assemble
from pipeline.config import validate
from pipeline.config_file import read_settings
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.frame import StreamInfo
from stages.fusion import fuser
from stages.fusion.stage import LcndrConfig, LcndrFusion
from stages.fusion.strips import Strips

INFO = StreamInfo(width=160, height=96, bit_depth=8, time_base=Fraction(1, 30))


def shares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, policy: str, cpus: int) -> list[int]:
    """What the stages with threads of their own are told."""
    told: list[int] = []
    monkeypatch.setattr(cores.os, "cpu_count", lambda: cpus)
    for stage in (FlowAlignment, LcndrFusion):
        monkeypatch.setattr(stage, "share_cores", lambda _, threads: told.append(threads))
    settings = read_settings("offline")
    settings["capture"] = {"kind": "file", "input": str(tmp_path / "in.mp4")}
    settings["encoding"] = {"kind": "video", "output": str(tmp_path / "out.mp4")}
    settings["channels"] = {"policy": policy}
    assemble(validate(settings))
    return told


@pytest.mark.parametrize(("cpus", "share"), [(1, 1), (2, 1), (4, 2), (16, 8)])
def test_stages_that_wait_for_each_other_get_half_of_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpus: int, share: int
) -> None:
    assert shares(monkeypatch, tmp_path, policy="block", cpus=cpus) == [share, share]


def test_live_every_stage_has_all_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shares(monkeypatch, tmp_path, policy="drop_oldest", cpus=4) == []


def test_alignment_limits_opencv_while_it_is_open() -> None:
    before = cv2.getNumThreads()
    stage = FlowAlignment(FlowConfig(device="cpu"))
    stage.share_cores(1)
    try:
        stage.open(INFO)
        assert cv2.getNumThreads() == 1
    finally:
        stage.close()
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize(("model", "threads"), [("lcndr-lite", 1), ("lcndr", 3)])
def test_a_network_that_all_others_wait_for_takes_every_core(
    monkeypatch: pytest.MonkeyPatch, model: str, threads: int
) -> None:
    made: list[int] = []

    def strips(count: int) -> Strips:
        made.append(count)
        return Strips(1)

    monkeypatch.setattr(fuser, "Strips", strips)
    monkeypatch.setattr(fuser.torch, "get_num_threads", lambda: 3)
    stage = LcndrFusion(LcndrConfig(model=model, device="cpu"))
    stage.share_cores(1)
    try:
        stage.open(INFO)
    finally:
        stage.close()
    assert made == [threads]
