"""Finds the pictures that a folder or a pattern means."""

from __future__ import annotations

import re
from pathlib import Path

from stages.capture.locate import printable, reading_errors
from stages.errors import SourceError

_EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What counts as a picture in a folder; a pattern may name any file that OpenCV reads."""

_PRINTF_NUMBER = re.compile(r"%0?\d*d")


@reading_errors()
def find_pictures(text: str) -> list[Path]:
    """The pictures that a folder, a glob or a printf pattern means, in natural order.

    Raises:
        SourceError: there are none, or their folder cannot be read.
    """
    path = Path(text)
    name = printable(text)
    if path.is_dir():
        found = [entry for entry in path.iterdir() if entry.suffix.lower() in _EXTENSIONS]
        wanted = f"no picture ({', '.join(_EXTENSIONS)}) lies in the folder {name}"
    elif path.is_file():
        raise SourceError(f"{name} is one file; name its folder, or a pattern such as '*{path.suffix}'")
    elif _PRINTF_NUMBER.search(path.name):
        found = _match_printf(path)
        wanted = f"no file matches {name}; the number must be filled up with zeros as in the pattern"
    else:
        if path.parent.is_dir():
            next(path.parent.iterdir(), None)  # glob finds nothing in a folder that it may not read
        root = Path(path.anchor)
        found = list(root.glob(str(path.relative_to(root))))
        wanted = f"no file matches {name}; check the folder and the pattern"
    pictures = sorted(filter(_is_visible_file, found), key=_natural_key)
    if not pictures:
        raise SourceError(wanted)
    return pictures


def _is_visible_file(path: Path) -> bool:
    """As shells see it: macOS puts a `._name` beside each file it copies to other disks."""
    return path.is_file() and not path.name.startswith(".")


def _match_printf(pattern: Path) -> list[Path]:
    """Files whose names the pattern prints for some number; gaps in the numbers are left out."""
    if not pattern.parent.is_dir():
        return []
    spelling = _PRINTF_NUMBER.findall(pattern.name)[0]
    head, tail = (re.escape(part.replace("%%", "%")) for part in pattern.name.split(spelling, maxsplit=1))
    number = re.compile(rf"{head}([0-9]+){tail}")
    matches = ((number.fullmatch(entry.name), entry) for entry in pattern.parent.iterdir())
    return [entry for match, entry in matches if match and spelling % int(match[1]) == match[1]]


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Runs of digits compare as numbers: img2 before img10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]
