"""Pairs of photographs in folders, in the layouts that data sets come in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline.evaluation.pair import EvaluationPair, PairSource
from pipeline.evaluation.picture import Picture, encoded_floats, luma_of, read_bgr, shrink
from pipeline.picture_file import SUFFIXES
from stages.capture.locate import printable
from stages.capture.picture import PICTURE_COLOR
from stages.color import planes_from_bgr
from stages.errors import SourceError
from stages.pairing.comparison import shift_of_brightness
from stages.pairing.signature import measure

_LEAST_RATIO_STOPS: Final = 0.25
"""Two pictures closer than this show the same exposure."""
_PARALLEL: Final = (("under", "over"), ("dark", "bright"), ("low", "high"), ("short", "long"))
"""Words in the names of two folders that hold the two exposures under equal names."""
_LAST_WORD: Final = re.compile(r"[_-][^_-]+$")


def photographed_pairs(folder: Path, longest_side: int | None) -> list[PairSource]:
    """The pairs in a folder, whichever of these it holds.

    - two folders, such as under/ and over/, of equally named pictures
    - a folder for each scene with two pictures in it, as MEFB has; of more than two the darkest and the brightest
    - pictures named SCENE_A and SCENE_B, whatever A and B
    - the exposures of one scene

    Args:
        folder: to look in.
        longest_side: pictures are reduced to so many pixels.
    """
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    parallel = _parallel_folders(folders)
    if parallel is not None:
        groups = _equally_named(*parallel)
    else:
        groups = _named_for_scenes(folder, _pictures_in(folder))
        groups |= {path.name: pictures for path in folders if len(pictures := _pictures_in(path)) > 1}
    return [_source(name, groups[name], longest_side) for name in sorted(groups)]


def _pictures_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def _parallel_folders(folders: Sequence[Path]) -> tuple[Path, Path] | None:
    for words in _PARALLEL:
        found = [[path for path in folders if _is_called(path, word)] for word in words]
        if all(len(paths) == 1 for paths in found):
            return found[0][0], found[1][0]
    return None


def _is_called(folder: Path, word: str) -> bool:
    """Whether the word is one of those in a name such as test_under-exposed: Flowers are not low."""
    words = re.split(r"[^a-z]+", folder.name.lower())
    return any(form in words for form in (word, f"{word}exposed", f"{word}exposure"))


def _equally_named(first: Path, second: Path) -> dict[str, list[Path]]:
    """By name without suffix; a picture alone becomes a group of one, which is reported when it is read."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in [*_pictures_in(first), *_pictures_in(second)]:
        groups[path.stem].append(path)
    return dict(groups)


def _named_for_scenes(folder: Path, pictures: Sequence[Path]) -> dict[str, list[Path]]:
    """Pictures that lie in the folder itself: SCENE_A and SCENE_B where all come so in twos, else one scene."""
    scenes: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        scenes[_LAST_WORD.sub("", path.stem)].append(path)
    if scenes and all(len(group) == 2 for group in scenes.values()):
        return dict(scenes)
    return {folder.resolve().name: list(pictures)} if len(pictures) > 1 else {}


def _source(name: str, paths: Sequence[Path], longest_side: int | None) -> PairSource:
    return PairSource(printable(name), lambda: read_pair(printable(name), paths, longest_side))


def read_pair(name: str, paths: Sequence[Path], longest_side: int | None) -> EvaluationPair:
    """Two exposures told apart by brightness; of more than two the darkest and the brightest.

    Raises:
        SourceError: one cannot be read, or they are no pair.
    """
    if len(paths) < 2:
        raise SourceError(f"{printable(str(paths[0]))} has no counterpart")
    if len(paths) > 2:
        by_brightness = sorted(paths, key=_brightness)
        paths = [by_brightness[0], by_brightness[-1]]
    first, second = (read_bgr(path) for path in paths)
    if first.shape != second.shape:
        sizes = " and ".join(f"{picture.shape[1]}x{picture.shape[0]}" for picture in (first, second))
        raise SourceError(f"the pictures have {sizes} pixels; bring them to one size")
    under, over = sorted((shrink(first, longest_side), shrink(second, longest_side)), key=lambda p: luma_of(p).mean())
    ratio_stops = _ratio_stops(under, over)
    if ratio_stops < _LEAST_RATIO_STOPS:
        raise SourceError(f"the pictures have the same exposure ({ratio_stops:.2f} stops apart)")
    return EvaluationPair(name, under, over, under, over, ratio_stops)


def _brightness(path: Path) -> float:
    return float(luma_of(read_bgr(path)).mean())


def _ratio_stops(under: Picture, over: Picture) -> float:
    """What the pictures show of it, if their response is sRGB's."""
    signatures = [
        measure(planes_from_bgr(encoded_floats(shrink(picture, 1024)), PICTURE_COLOR), PICTURE_COLOR)
        for picture in (under, over)
    ]
    return shift_of_brightness(*signatures).stops
