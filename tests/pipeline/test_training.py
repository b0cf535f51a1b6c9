"""``lumabraid train``: from radiance maps to a model that ``--model`` takes."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.cli import main
from pipeline.training_pairs import PairSampler, PairSettings, split_maps
from stages.errors import ConfigError
from stages.fusion.models import load_model


def write_map(path: Path, seed: int) -> None:
    """A small equirectangular map with a bright patch."""
    rng = np.random.default_rng(seed)
    radiance = cv2.resize(rng.uniform(0.05, 1, (16, 32, 3)).astype(np.float32), (128, 64))
    radiance[20:30, 40:60] *= 50
    cv2.imwrite(str(path), radiance)


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for seed, name in enumerate(("hall_01_1k", "hall_02_1k", "garden_1k", "street_night_1k")):
        write_map(folder / f"{name}.hdr", seed)
    return folder


def stems(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def test_named_maps_are_held_out(maps: Path) -> None:
    training, validation = split_maps(maps, ["hall"])
    assert stems(training) == ["garden_1k", "street_night_1k"]
    assert stems(validation) == ["hall_01_1k", "hall_02_1k"]


def test_without_names_whole_places_are_held_out(maps: Path) -> None:
    training, validation = split_maps(maps, [])
    assert training
    assert validation
    for name in stems(validation):
        assert not any(other.startswith(name.split("_")[0]) for other in stems(training))


@pytest.mark.parametrize(("hold_out", "message"), [(["castle"], "castle"), (["hall", "garden", "street"], "no map")])
def test_a_split_that_cannot_be_is_refused(maps: Path, hold_out: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_maps(maps, hold_out)


def test_a_folder_without_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        split_maps(tmp_path, [])


def test_a_batch_is_the_same_every_time_and_unlike_the_next(maps: Path) -> None:
    sampler = PairSampler(sorted(maps.glob("*.hdr")), PairSettings(side=48, batch_size=2))
    first, again, other = sampler(0), sampler(0), sampler(1)
    assert torch.equal(first.under, again.under)
    assert not torch.equal(first.under, other.under)
    assert first.under.shape == (2, 1, 48, 48)


def test_over_is_brighter_and_clean_pictures_have_no_noise(maps: Path) -> None:
    sampler = PairSampler(sorted(maps.glob("*.hdr")), PairSettings(side=64, batch_size=4))
    batch = sampler(0)
    assert (batch.clean_over.mean(dim=(1, 2, 3)) > batch.clean_under.mean(dim=(1, 2, 3))).all()
    assert 0 < (batch.over - batch.clean_over).abs().mean() < 0.05


def test_training_ends_in_weights_that_fuse(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.progress._LINE_INTERVAL_S", 0)
    output = tmp_path / "run"
    arguments = ["--steps", "2", "--batch-size", "1", "--side", "96", "--hold-out", "hall"]
    arguments += ["--validation-pairs", "2", "--name", "mine"]
    assert main(["train", str(maps), "-o", str(output), *arguments]) == 0
    said = capsys.readouterr()
    assert "MergeMertens" in said.out
    assert "train mine: 2/2, " in said.err
    assert " steps/s, " in said.err
    load_model(str(output / "mine.safetensors"))
    card = (output / "mine.md").read_text()
    assert "garden_1k, street_night_1k" in card
    assert "hall_01_1k, hall_02_1k" in card
    with (output / "log.csv").open() as log:
        assert [row["step"] for row in csv.DictReader(log)] == ["1", "2"]


def test_a_folder_with_another_run_is_refused(maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", str(maps), "-o", str(tmp_path / "run"), "--steps", "1", "--batch-size", "1", "--side", "96"]
    arguments += ["--hold-out", "hall", "--validation-pairs", "1"]
    assert main(arguments) == 0
    assert main([*arguments, "--seed", "9"]) == 2
    assert "other seed" in capsys.readouterr().err
