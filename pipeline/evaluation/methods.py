"""What a pair can be fused with: LCNDR, the classical methods, and pictures that another program made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline.evaluation.pair import EvaluationPair
from pipeline.evaluation.picture import Picture, encoded_floats, read_bgr, rounded, shrink
from pipeline.picture_file import SUFFIXES
from stages.capture.locate import printable
from stages.capture.picture import PICTURE_COLOR
from stages.color import bgr_from_planes, planes_from_bgr
from stages.errors import ConfigError, SourceError
from stages.fusion.fuser import Fuser
from stages.fusion.mode import Mode
from stages.fusion.models import load_model


class Method(ABC):
    """Fuses pairs."""

    name: str
    """Unique, for the table."""

    @abstractmethod
    def fuse(self, pair: EvaluationPair) -> Picture:
        """The fused picture, of the pair's size.

        Raises:
            LumabraidError: not for this pair; the message says why.
        """


class Lcndr(Method):
    """LCNDR through planar YUV 4:2:0, as ``lumabraid fuse --no-align`` runs it."""

    def __init__(self, model: str, mode: Mode, device: torch.device) -> None:
        """Load a packaged model, or the weights in a file.

        Raises:
            ConfigError: there is no such model.
        """
        self.name = f"{Path(model).stem} {mode}"
        self._fuser = Fuser(load_model(model), mode, device)

    def fuse(self, pair: EvaluationPair) -> Picture:
        """By both luma and chroma."""
        under, over = (planes_from_bgr(encoded_floats(picture), PICTURE_COLOR) for picture in (pair.under, pair.over))
        return rounded(bgr_from_planes(self._fuser.fuse(under, over, PICTURE_COLOR), PICTURE_COLOR))


class FolderOfResults(Method):
    """Pictures that another program made of the same pairs: NAME.png, or NAME_anything.png."""

    def __init__(self, name: str, folder: Path, pair_names: Sequence[str], longest_side: int | None) -> None:
        """Look into a folder.

        Args:
            name: of the method.
            folder: of its pictures.
            pair_names: of all pairs: Cave_2_method is not a result for Cave where there is a pair Cave_2.
            longest_side: its pictures are reduced to so many pixels, as photographs are.

        Raises:
            ConfigError: there is no such folder, or no picture in it.
        """
        self.name = name
        self._folder = printable(str(folder))
        self._longest_side = longest_side
        if not folder.is_dir():
            raise ConfigError(f"--results {name}={self._folder}: no such folder")
        self._pictures: dict[str, list[Path]] = defaultdict(list)
        pictures = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
        if not pictures:
            raise ConfigError(f"--results {name}={self._folder}: no pictures there ({', '.join(SUFFIXES)})")
        for path in pictures:
            fitting = [pair_name for pair_name in pair_names if _is_named_for(path, pair_name)]
            if fitting:
                self._pictures[max(fitting, key=len)].append(path)

    def fuse(self, pair: EvaluationPair) -> Picture:
        """The picture named for the pair."""
        paths = self._pictures.get(pair.name, [])
        if len(paths) != 1:
            several = ", ".join(printable(path.name) for path in paths)
            raise SourceError(
                f"{len(paths)} pictures in {self._folder} are named for it, one is needed"
                + (f": {several}" if several else "")
            )
        path = paths[0]
        picture = shrink(read_bgr(path), self._longest_side)
        if picture.shape != pair.under.shape:
            raise SourceError(
                f"{printable(str(path))} has {picture.shape[1]}x{picture.shape[0]} pixels, "
                f"the pair {pair.under.shape[1]}x{pair.under.shape[0]}"
            )
        return picture


def _is_named_for(path: Path, pair_name: str) -> bool:
    stem, wanted = path.stem.lower(), pair_name.lower()
    return stem == wanted or stem.startswith((f"{wanted}_", f"{wanted}-", f"{wanted}."))
