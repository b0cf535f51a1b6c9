"""Which pairs are found in which layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.evaluation.pair import PairSource
from pipeline.evaluation.pairs import find_pairs
from stages.errors import SourceError
from tests.evaluation.scenes import exposed, write, write_pair


def found(*places: Path, longest_side: int | None = None, pairs_per_map: int = 2, seed: int = 0) -> list[PairSource]:
    return find_pairs(places, longest_side=longest_side, pairs_per_map=pairs_per_map, seed=seed)


def names(pairs: list[PairSource]) -> list[str]:
    return [pair.name for pair in pairs]


def write_map(path: Path) -> Path:
    rng = np.random.default_rng(0)
    radiance = cv2.resize(rng.uniform(0.05, 1, (16, 32, 3)).astype(np.float32), (128, 64))
    radiance[20:30, 40:60] *= 50
    cv2.imwrite(str(path), radiance)
    return path


def test_a_folder_for_each_scene(tmp_path: Path) -> None:
    # MEFB's layout: names tell nothing of which is the darker one.
    write_pair(tmp_path / "Arno", "Arno_A.png", "arno3.png")
    write_pair(tmp_path / "Cave", "x2.jpg", "x1.jpg")
    (tmp_path / "Cave" / "ev.txt").write_text("1\n3\n", encoding="utf-8")
    pairs = found(tmp_path)
    assert names(pairs) == ["Arno", "Cave"]
    for source in pairs:
        pair = source.load()
        assert pair.under.mean() < pair.over.mean()
        assert pair.ratio_stops == pytest.approx(3.5, abs=1)
        assert np.array_equal(pair.under, pair.clean_under)


def test_scenes_are_not_taken_for_folders_of_exposures(tmp_path: Path) -> None:
    for name in ("Flowers", "Highway", "Overpass", "Thunder"):
        write_pair(tmp_path / name)
    assert names(found(tmp_path)) == ["Flowers", "Highway", "Overpass", "Thunder"]


def test_of_a_longer_bracket_the_darkest_and_the_brightest(tmp_path: Path) -> None:
    for name, stops in (("c", 0.0), ("a", 1.5), ("b", -2.0)):
        write(tmp_path / "room" / f"{name}.png", exposed(stops))
    for place in (tmp_path, tmp_path / "room"):
        (source,) = found(place)
        assert source.name == "room"
        pair = source.load()
        assert np.array_equal(pair.under, exposed(-2))
        assert np.array_equal(pair.over, exposed(1.5))


@pytest.mark.parametrize(
    "folders", [("under", "over"), ("Low", "High"), ("test_dark", "test_bright"), ("UnderExposed", "overexposure")]
)
def test_two_folders_of_equal_names(tmp_path: Path, folders: tuple[str, str]) -> None:
    for name in ("2", "10"):
        write(tmp_path / folders[0] / f"{name}.png", exposed(-2))
        write(tmp_path / folders[1] / f"{name}.jpg", exposed(1.5))
    write(tmp_path / folders[0] / "alone.png", exposed(-2))
    pairs = found(tmp_path)
    assert names(pairs) == ["10", "2", "alone"]
    assert np.array_equal(pairs[0].load().under, exposed(-2))
    with pytest.raises(SourceError, match=r"alone\.png has no counterpart"):
        pairs[2].load()


def test_pictures_named_for_their_scene(tmp_path: Path) -> None:
    for scene in ("old_town", "lake"):
        write_pair(tmp_path, f"{scene}_A.png", f"{scene}_B.png")
    assert names(found(tmp_path)) == ["lake", "old_town"]


def test_photographs_are_reduced_on_request(tmp_path: Path) -> None:
    write_pair(tmp_path / "room")
    assert found(tmp_path, longest_side=48)[0].load().over.shape == (36, 48, 3)


def test_maps_and_folders_of_maps_give_pairs_whose_truth_is_known(tmp_path: Path) -> None:
    path = write_map(tmp_path / "hall_1k.hdr")
    pairs = found(path, tmp_path)
    assert names(pairs) == ["hall_1k-1", "hall_1k-2"] * 2
    pair, same, other = pairs[0].load(), pairs[2].load(), pairs[1].load()
    assert np.array_equal(pair.over, same.over)
    assert not np.array_equal(pair.over, other.over)
    assert not np.array_equal(pair.over, found(path, seed=1)[0].load().over)
    assert 0 < np.abs(pair.under.astype(float) - pair.clean_under).mean() < 10
    assert 1.5 <= pair.ratio_stops <= 6


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (exposed(1.5, width=80), "96x72 and 80x72"),
        (exposed(-2), "same exposure"),
    ],
)
def test_what_is_no_pair_says_why(tmp_path: Path, second: np.ndarray, message: str) -> None:
    write(tmp_path / "room" / "a.png", exposed(-2))
    write(tmp_path / "room" / "b.png", second)
    with pytest.raises(SourceError, match=message):
        found(tmp_path)[0].load()


def test_places_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pairs"):
        found(tmp_path)
    with pytest.raises(SourceError, match="no such file"):
        found(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="one file"):
        found(write(tmp_path / "a.png", exposed(0)))


def test_clean_pairs_of_a_map_are_their_own_truth(tmp_path: Path) -> None:
    path = write_map(tmp_path / "room.hdr")
    noisy, clean = (
        find_pairs([path], longest_side=160, pairs_per_map=1, seed=3, clean=clean)[0].load() for clean in (False, True)
    )
    assert clean.under.shape == (120, 160, 3)
    assert np.array_equal(clean.under, noisy.clean_under)
    assert np.array_equal(clean.over, clean.clean_over)
    assert not np.array_equal(noisy.under, noisy.clean_under)
