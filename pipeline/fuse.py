"""Fuses exposures that lie as pictures in files: one pair, or two folders of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from pipeline.picture_file import SUFFIXES, write_picture
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.capture.locate import reading_errors
from stages.capture.picture import PICTURE_COLOR, read_picture
from stages.device.choice import DeviceName
from stages.encoding.atomic import check_folder
from stages.errors import ConfigError, SourceError
from stages.frame import AlignedPair, ExposurePair, Frame, Planes
from stages.fusion.fuser import Fuser
from stages.pairing.comparison import shift_of_brightness
from stages.pairing.signature import measure

_LEAST_RATIO_STOPS: Final = 0.25
"""Two pictures closer than this show the same exposure."""


@dataclass(frozen=True, slots=True)
class PicturePair:
    """Two exposures of one view and where their fusion goes."""

    under: Path
    over: Path
    output: Path


@dataclass(frozen=True, slots=True)
class FusedPair:
    """What was found in a pair and written."""

    under: Path
    """The darker of the two."""
    ratio_stops: float
    output: Path


@reading_errors()
def find_pairs(first: Path, second: Path, output: Path) -> list[PicturePair]:
    """The pairs in two pictures, or in two folders of equally named pictures.

    Raises:
        SourceError: one is missing or cannot be read, or there is nothing to pair.
        ConfigError: a picture beside a folder, pictures without their counterpart, or an unfit output.
    """
    for path in (first, second):
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder")
    if first.is_dir() != second.is_dir():
        folder, file = (first, second) if first.is_dir() else (second, first)
        raise ConfigError(f"{folder} is a folder and {file} is not; give two pictures or two folders")
    check_folder(output if first.is_dir() and output.is_dir() else output.absolute().parent)
    if output.exists() and any(output.samefile(path) for path in (first, second)):
        raise ConfigError(f"output {output} would overwrite the input; give another name")
    if first.is_dir():
        return _pairs_in_folders(first, second, output)
    if output.suffix.lower() not in SUFFIXES or output.is_dir():
        raise ConfigError(f"output {output}: give the name of a picture that ends in {', '.join(SUFFIXES)}")
    return [PicturePair(first, second, output)]


def _pairs_in_folders(first: Path, second: Path, output: Path) -> list[PicturePair]:
    names, others = (
        {path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES} for folder in (first, second)
    )
    if not names | others:
        raise SourceError(f"{first} and {second} hold no pictures ({', '.join(SUFFIXES)})")
    alone = [first / name for name in sorted(names - others)] + [second / name for name in sorted(others - names)]
    if alone:
        more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
        listed = ", ".join(str(path) for path in alone[:3])
        raise ConfigError(f"no counterpart of the same name in the other folder: {listed}{more}")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output {output} is a file; for two folders give a folder")
    return [PicturePair(first / name, second / name, output / name) for name in sorted(names)]


class PictureFuser:
    """Fuses pairs of pictures."""

    def __init__(self, fuser: Fuser, *, align: bool, device: DeviceName = "auto") -> None:
        """``align`` moves the shorter exposure onto the longer one's pixels first, on the device."""
        self._fuser = fuser
        self._alignment = FlowAlignment(FlowConfig(device=device)) if align else None

    def fuse(self, pair: PicturePair) -> FusedPair:
        """Read, fuse and write one pair, whichever of its pictures is the darker one.

        Raises:
            SourceError: a picture cannot be read, or the two do not belong together.
            EncodeError: the result cannot be written.
        """
        first, second = read_picture(pair.under), read_picture(pair.over)
        if first.luma.shape != second.luma.shape or first.bit_depth != second.bit_depth:
            raise SourceError(
                f"the pictures differ: {pair.under} has {_describe(first)}, {pair.over} has {_describe(second)}; "
                "bring them to one size and depth"
            )
        shift = shift_of_brightness(*(measure(planes, PICTURE_COLOR) for planes in (first, second))).stops
        if abs(shift) < _LEAST_RATIO_STOPS:
            raise SourceError(
                f"{pair.under} and {pair.over} have the same exposure ({abs(shift):.2f} stops apart); "
                "give a darker and a brighter picture of one view"
            )
        under, over = (first, second) if shift > 0 else (second, first)
        if self._alignment is not None:
            aligned = _align(self._alignment, under, over, abs(shift))
            under, over = aligned.under, aligned.over
        write_picture(pair.output, self._fuser.fuse(under, over, PICTURE_COLOR))
        return FusedPair(pair.under if shift > 0 else pair.over, abs(shift), pair.output)


def _describe(planes: Planes) -> str:
    return f"{planes.width}x{planes.height} pixels of {8 if planes.bit_depth == 8 else 16} bits"


def _align(alignment: FlowAlignment, under: Planes, over: Planes, ratio_stops: float) -> AlignedPair:
    """Under on over's pixel grid.

    Where the other one cannot be trusted, the reference stands in for it: over darkened to under's exposure looks
    clean, under brightened to over's looks noisy.
    """
    frames = [
        Frame(index, planes, pts=index, time_base=Fraction(1), color=PICTURE_COLOR)
        for index, planes in enumerate((over, under))
    ]
    pair = ExposurePair(frames[0], frames[1], reference_is_under=False, ratio_stops=ratio_stops)
    return next(item for item in alignment.process(pair) if isinstance(item, AlignedPair))
