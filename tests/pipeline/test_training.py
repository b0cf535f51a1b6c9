"""``lumabraid train``: from radiance maps and photographs to a model that ``--model`` takes."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.cli import main
from pipeline.evaluation.pair import PairSource
from pipeline.training_brackets import Bracket, load_brackets
from pipeline.training_pairs import PairSampler, PairSettings
from pipeline.training_scenes import find_scenes, split_scenes
from stages.errors import ConfigError
from stages.fusion.models import load_model

PAIR = ("under", "over")


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


def write_scene(folder: Path, seed: int, *, shift_px: int = 0, size: tuple[int, int] = (300, 280)) -> None:
    """Two photographs of a textured scene three stops apart; the brighter one may have been taken from elsewhere."""
    width, height = size
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.uniform(0.02, 1, (height // 6 + 4, width // 6 + 4, 3)), (width + 20, height + 20)) ** 2
    folder.mkdir(parents=True)
    for name, stops, left in (("dark", 0, 0), ("bright", 3, shift_px)):
        picture = np.clip(scene[:height, left : left + width] * 0.3 * 2**stops, 0, 1) ** (1 / 2.2)
        cv2.imwrite(str(folder / f"{name}.png"), np.rint(picture * 255))


@pytest.fixture
def brackets(tmp_path: Path) -> Path:
    folder = tmp_path / "brackets"
    for seed, name in enumerate(("bridge", "cellar", "dome", "well")):
        write_scene(folder / name, seed)
    return folder


def test_named_maps_are_held_out(maps: Path) -> None:
    training, validation = split_scenes(find_scenes([maps]), ["hall"])
    assert training.names == ["garden_1k", "street_night_1k"]
    assert validation.names == ["hall_01_1k", "hall_02_1k"]


def test_without_names_whole_places_are_held_out(maps: Path) -> None:
    training, validation = split_scenes(find_scenes([maps]), [])
    assert training.names
    assert validation.names
    for name in validation.names:
        assert not any(other.startswith(name.split("_")[0]) for other in training.names)


def test_maps_and_photographs_are_found_together(maps: Path, brackets: Path) -> None:
    training, validation = split_scenes(find_scenes([maps, brackets]), ["hall", "dome"])
    assert training.names == ["garden_1k", "street_night_1k", "bridge", "cellar", "well"]
    assert validation.names == ["hall_01_1k", "hall_02_1k", "dome"]


@pytest.mark.parametrize(("hold_out", "message"), [(["castle"], "castle"), (["hall", "garden", "street"], "no map")])
def test_a_split_that_cannot_be_is_refused(maps: Path, hold_out: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_scenes(find_scenes([maps]), hold_out)


def test_a_folder_with_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither"):
        find_scenes([tmp_path])


def test_one_scene_is_too_few(maps: Path) -> None:
    for path in sorted(maps.iterdir())[1:]:
        path.unlink()
    with pytest.raises(ConfigError, match="at least 2"):
        split_scenes(find_scenes([maps]), [])


def sampled(maps: Path, **settings: float) -> PairSampler:
    return PairSampler(sorted(maps.glob("*.hdr")), [], PairSettings(side=64, batch_size=4, **settings))


def test_a_batch_is_the_same_every_time_and_unlike_the_next(maps: Path) -> None:
    first, again, other = sampled(maps)(0), sampled(maps)(0), sampled(maps)(1)
    assert torch.equal(first.under, again.under)
    assert not torch.equal(first.under, other.under)
    assert first.under.shape == (4, 1, 64, 64)


def test_over_is_brighter_and_clean_pictures_have_no_noise(maps: Path) -> None:
    batch = sampled(maps)(0)
    assert (batch.clean_over.mean(dim=(1, 2, 3)) > batch.clean_under.mean(dim=(1, 2, 3))).all()
    assert 0 < (batch.over - batch.clean_over).abs().mean() < 0.05


def test_misaligned_pairs_are_judged_against_aligned_ones(maps: Path) -> None:
    still, moved = sampled(maps)(0), sampled(maps, misalignment_px=2)(0)
    assert torch.equal(still.clean_under, moved.clean_under)
    assert torch.equal(still.clean_over, moved.clean_over)
    for number in range(4):
        changed = [not torch.equal(getattr(still, name)[number], getattr(moved, name)[number]) for name in PAIR]
        assert any(changed)
    assert (still.over - moved.over).abs().mean() < 0.1


def test_ten_bit_pairs_have_levels_between_those_of_eight(maps: Path) -> None:
    eight, ten = (sampled(maps, ten_bit_share=share)(0).over for share in (0.0, 1.0))
    assert torch.allclose(eight * 255, (eight * 255).round(), atol=1e-3)
    assert torch.allclose(ten * 1023, (ten * 1023).round(), atol=1e-3)
    assert not torch.allclose(ten * 255, (ten * 255).round(), atol=0.1)


def load(folder: Path, *, smallest_side: int = 96) -> tuple[list[Bracket], list[str]]:
    lines: list[str] = []
    sources: list[PairSource] = find_scenes([folder]).photographs
    return load_brackets(sources, smallest_side=smallest_side, on_left_out=lines.append), lines


def test_parts_of_photographs_stand_for_themselves(brackets: Path) -> None:
    loaded, left_out = load(brackets)
    assert (len(loaded), left_out) == (4, [])
    batch = PairSampler([], loaded, PairSettings(side=96, batch_size=4))(0)
    assert batch.under.shape == (4, 1, 96, 96)
    assert torch.equal(batch.under, batch.clean_under)
    assert torch.equal(batch.over, batch.clean_over)
    assert (batch.over.mean(dim=(1, 2, 3)) > batch.under.mean(dim=(1, 2, 3))).all()


@pytest.mark.parametrize("size", [(300, 280), (1600, 1200)])
def test_photographs_out_of_register_are_left_out_with_a_line(brackets: Path, size: tuple[int, int]) -> None:
    write_scene(brackets / "shaken", 9, shift_px=6, size=size)
    loaded, left_out = load(brackets)
    assert len(loaded) == 4
    [line] = left_out
    assert line.startswith("shaken left out: the exposures are ")
    assert "pixels out of register" in line


def test_photographs_that_are_too_small_or_damaged_are_left_out_with_a_line(brackets: Path) -> None:
    write_scene(brackets / "stamp", 9, size=(120, 90))
    (brackets / "well/dark.png").write_bytes(b"no picture")
    loaded, left_out = load(brackets)
    assert len(loaded) == 3
    assert left_out[0].startswith("stamp left out: 120x90 pixels are too few")
    assert left_out[1].startswith("well left out: ")


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
    curves, grid = (cv2.imread(str(output / name)) for name in ("curves.png", "validation.png"))
    assert curves.std() > 5
    # Both pairs: under, over and fused beside each other.
    assert grid.shape[0] > 2 * 256
    assert grid.shape[1] > 3 * 256


def test_training_on_photographs_says_what_it_left_out(
    brackets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(brackets / "shaken", 9, shift_px=6)
    arguments = ["--steps", "1", "--batch-size", "1", "--side", "96", "--hold-out", "dome", "--validation-pairs", "1"]
    assert main(["train", str(brackets), "-o", str(tmp_path / "run"), *arguments]) == 0
    assert "lumabraid: shaken left out: the exposures are" in capsys.readouterr().err
    assert "photographed pairs" in (tmp_path / "run/lcndr.md").read_text()


def test_a_part_switched_off_stays_off_in_the_weights(maps: Path, tmp_path: Path) -> None:
    arguments = ["train", str(maps), "-o", str(tmp_path / "run"), "--steps", "1", "--batch-size", "1", "--side", "96"]
    arguments += ["--hold-out", "hall", "--validation-pairs", "1", "--without", "sam", "--loss", "edges=0,tones=2"]
    assert main(arguments) == 0
    network = load_model(str(tmp_path / "run/lcndr.safetensors"))
    assert (network.weigh(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 64, 64)) == 0).all()
    card = (tmp_path / "run/lcndr.md").read_text()
    assert "Switched off: sam." in card
    assert "Loss: structure 1, edges 0, " in card
    assert "tones 2" in card


@pytest.mark.parametrize("given", ["contrast=1", "edges", "edges=-1", "edges=much", "edges=nan"])
def test_a_loss_nobody_knows_is_refused(
    given: str, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(maps), "-o", str(tmp_path / "run"), "--loss", given]) == 2
    assert "PART one of structure, edges, " in capsys.readouterr().err


def test_a_folder_with_another_run_is_refused(maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", str(maps), "-o", str(tmp_path / "run"), "--steps", "1", "--batch-size", "1", "--side", "96"]
    arguments += ["--hold-out", "hall", "--validation-pairs", "1"]
    assert main(arguments) == 0
    assert main([*arguments, "--seed", "9", "--misalign", "1"]) == 2
    assert "other misalignment_px, seed:" in capsys.readouterr().err


def test_training_goes_on_from_a_models_weights(maps: Path, tmp_path: Path) -> None:
    def weights(folder: str, *more: str) -> dict[str, torch.Tensor]:
        arguments = [
            "--steps",
            "1",
            "--batch-size",
            "1",
            "--side",
            "96",
            "--hold-out",
            "hall",
            "--validation-pairs",
            "1",
        ]
        arguments += ["--learning-rate", "1e-9", *more]
        assert main(["train", str(maps), "-o", str(tmp_path / folder), *arguments]) == 0
        return load_model(str(tmp_path / folder / "lcndr.safetensors")).state_dict()

    first = weights("first", "--seed", "5")
    onward = weights("onward", "--start", str(tmp_path / "first/lcndr.safetensors"))
    assert all(torch.allclose(onward[name], first[name], atol=1e-6) for name in first)


def test_other_channels_are_nothing_to_start_from(
    maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(maps), "-o", str(tmp_path), "--hold-out", "hall", "--start", "lcndr-lite"]) == 2
    assert "lcndr-lite has other modules or channels" in capsys.readouterr().err


def test_pairs_as_taken_stand_for_themselves(maps: Path) -> None:
    taken, clean = sampled(maps, as_taken_share=1.0)(0), sampled(maps)(0)
    assert torch.equal(taken.under, clean.under)
    assert torch.equal(taken.clean_under, taken.under)
    assert not torch.equal(clean.clean_under, clean.under)
