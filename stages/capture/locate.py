"""Tells a file from a URL and gives each a name that is safe to print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.errors import SourceError

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>.*)", re.DOTALL)
_BEYOND_HOST = re.compile(r"[/?#]")
_SECRET_IN_PATH = re.compile(r"(?i)((?:pass|pwd|token|secret)[^/&=;]*=)[^/&;]*?(?=_\w+=|[/&;]|$)")
"""Some cameras take the password in the path: /user=admin_password=1234_channel=1.sdp"""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a video lies."""

    address: str
    """What FFmpeg opens: an absolute path, which it never mistakes for a protocol or an option, or the URL."""
    name: str
    """For messages: one printable line, for a URL without credentials, query and fragment."""
    path: Path | None
    """None for a URL, and for a pipe or device, which cannot be looked at twice."""


def locate(text: str) -> Location:
    """Where ``text`` points to; a file of that name goes before a URL.

    Raises:
        SourceError: a path where no file with content lies.
    """
    path = Path(text)
    name = printable(text)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        if _URL.match(text):
            return Location(text, display_name(text), None)
        seen = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{name}: {str(seen).lower()}; check the path") from None
    if path.is_dir():
        raise SourceError(f"{name} is a folder; name a video in it, or read its pictures with kind `pictures`")
    if path.is_file() and size == 0:
        raise SourceError(f"{name} is empty (0 bytes); copy or record it again")
    return Location(str(path.absolute()), name, path if path.is_file() else None)


@contextmanager
def reading_errors() -> Iterator[None]:
    """Turn what the system refuses while paths are looked at into a SourceError that names the path."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"{printable(str(error.filename))} cannot be read: {error.strerror}") from None


def printable(text: str) -> str:
    """``text`` on one line, with a question mark for each character that cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in text)


def is_url(text: str) -> bool:
    """Whether ``text`` is the address of something in the network, by its form."""
    return _URL.match(text) is not None


def display_name(text: str) -> str:
    """A path or URL for messages and reports: printable, and a URL without credentials, query and fragment.

    What may be a password with a slash or question mark in it goes too, though it should have been escaped.
    """
    url = _URL.match(text)
    if url is None:
        return printable(text)
    rest = url["rest"]
    before, _, after = rest.rpartition("@")
    if not _BEYOND_HOST.search(before):
        rest = after
    elif ":" in before:
        rest = f"...@{after}"
    return printable(url["scheme"] + _SECRET_IN_PATH.sub(r"\1...", re.split(r"[?#]", rest)[0]))
