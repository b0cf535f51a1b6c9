"""``lumabraid ablate``: the network without each of its parts."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.ablation import variants
from pipeline.cli import main
from pipeline.commands.train import command as train_command
from pipeline.training_run import TrainingRun
from stages.fusion.ablation import PARTS
from stages.fusion.loss import LossWeights
from tests.pipeline.test_training import write_map, write_scene

LOSSES = [part.name for part in fields(LossWeights)]


def test_every_part_of_network_and_loss_is_left_out_once() -> None:
    tried = {variant.name: variant for variant in variants(TrainingRun(places=(Path("maps"),), output=Path("out")))}
    assert tried["whole"].without == ()
    assert tried["whole"].loss == LossWeights()
    for part in PARTS:
        assert tried[f"without-{part}"].without == (part,)
    assert tried["without-edges-loss"].loss == LossWeights(edges=0)
    assert len(tried) == 1 + len(PARTS) + len(LOSSES)
    assert len({variant.output for variant in tried.values()}) == len(tried)


def test_training_offers_the_same_parts() -> None:
    [choice] = [option.type for option in train_command.params if option.name == "without"]
    assert tuple(choice.choices) == PARTS


def test_the_table_has_a_row_for_each_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.ablation.PARTS", ("sam",))
    maps = tmp_path / "maps"
    maps.mkdir()
    for seed, name in enumerate(("hall", "garden")):
        write_map(maps / f"{name}.hdr", seed)
    write_scene(tmp_path / "judged/bridge", 1, size=(96, 72))
    arguments = ["ablate", str(maps), "-o", str(tmp_path / "out"), "--steps", "1", "--batch-size", "1", "--side", "96"]
    arguments += ["--validation-pairs", "1", "--judge-on", str(tmp_path / "judged")]
    assert main(arguments) == 0
    table = (tmp_path / "out/ablation.md").read_text()
    assert table in capsys.readouterr().out
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert rows[2:5] == ["plain average", "MergeMertens", "whole"]
    assert rows[5:] == [
        "without sam",
        *(f"without {part}-loss" for part in LOSSES),
    ]
    scores = json.loads((tmp_path / "out/ablation.json").read_text())["mean"]
    assert scores["without-sam stream"] != scores["whole stream"]
