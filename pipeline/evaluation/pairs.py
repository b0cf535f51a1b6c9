"""Finds the pairs in what the command line names: folders of photographs, radiance maps, folders of those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.evaluation.pair import PairSource
from pipeline.evaluation.photographs import photographed_pairs
from pipeline.evaluation.rendered import rendered_pairs
from stages.capture.locate import printable, reading_errors
from stages.errors import SourceError


@reading_errors()
def find_pairs(
    places: Sequence[Path], *, longest_side: int | None, pairs_per_map: int, seed: int, clean: bool = False
) -> list[PairSource]:
    """Every pair, to be loaded one by one.

    Args:
        places: folders of pairs as ``photographed_pairs`` knows them, ``.hdr`` files, folders of them.
        longest_side: pictures are reduced to so many pixels.
        pairs_per_map: rendered from every radiance map.
        seed: chooses their views, exposures and noise.
        clean: they have neither noise nor compression.

    Raises:
        SourceError: a place does not exist, cannot be read or holds no pair.
    """
    found = []
    for place in places:
        name = printable(str(place))
        if not place.exists():
            raise SourceError(f"{name}: no such file or folder")
        if place.is_dir():
            maps = sorted(place.glob("*.hdr"))
            pairs = [] if maps else photographed_pairs(place, longest_side)
        elif place.suffix.lower() == ".hdr":
            maps, pairs = [place], []
        else:
            raise SourceError(f"{name} is one file and no radiance map; give folders of pairs, or .hdr maps")
        if not maps and not pairs:
            raise SourceError(
                f"{name} holds no pairs: neither folders of two pictures, under/ and over/, nor .hdr maps"
            )
        found += pairs
        for path in maps:
            found += rendered_pairs(path, pairs_per_map, seed, longest_side=longest_side, clean=clean)
    return found
