"""What there is to train on: radiance maps and photographed pairs, and which of them are kept for validation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.evaluation.pair import PairSource
from pipeline.evaluation.photographs import photographed_pairs
from stages.capture.locate import printable
from stages.errors import ConfigError

_LONGEST_SIDE: Final = 1024
"""Pixels to which photographs are reduced: sharp at the size of a training picture, and small in memory."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """Where pairs come from."""

    maps: list[Path]
    """Equirectangular radiance maps, ``.hdr``."""
    photographs: list[PairSource]

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return [path.stem for path in self.maps] + [source.name for source in self.photographs]


def find_scenes(places: Sequence[Path]) -> Scenes:
    """What the folders hold: ``.hdr`` maps, else photographs as ``photographed_pairs`` knows them.

    Raises:
        ConfigError: a folder holds neither.
    """
    found = Scenes([], [])
    for place in places:
        maps = sorted(place.glob("*.hdr"))
        photographs = [] if maps else photographed_pairs(place, _LONGEST_SIDE)
        if not maps and not photographs:
            raise ConfigError(
                f"{printable(str(place))}: neither .hdr maps nor exposures of one scene to train on, in it or in "
                "folders within"
            )
        found.maps.extend(maps)
        found.photographs.extend(photographs)
    return found


def split_scenes(scenes: Scenes, held_out: Sequence[str]) -> tuple[Scenes, Scenes]:
    """Scenes for training and for validation.

    Args:
        scenes: all of them.
        held_out: names, or beginnings of names, of those kept for validation; none means every fifth place
            (scenes whose names differ in their number only show one place and stay together).

    Raises:
        ConfigError: there are too few scenes, or a held-out name fits none.
    """
    names, held_out = scenes.names, [name.removesuffix(".hdr") for name in held_out]
    if len(names) < 2:
        raise ConfigError(f"{len(names)} map or scene: training needs at least 2, one of them for validation")
    for beginning in held_out:
        if not any(name.startswith(beginning) for name in names):
            raise ConfigError(f"--hold-out {beginning}: no map or scene has a name that begins so")
    places = sorted({_place(name) for name in names})
    kept_aside = set() if held_out else set(places[2::5] or places[-1:])

    def select(*, validation: bool) -> Scenes:
        def fits(name: str) -> bool:
            return (_place(name) in kept_aside or name.startswith(tuple(held_out))) == validation

        return Scenes(
            [path for path in scenes.maps if fits(path.stem)],
            [source for source in scenes.photographs if fits(source.name)],
        )

    training = select(validation=False)
    if not training.names:
        raise ConfigError("--hold-out leaves no map or scene to train on")
    return training, select(validation=True)


def _place(name: str) -> str:
    """The name without numbers and resolution."""
    return re.sub(r"(_\d+)?(_\d+k)?$", "", name)
