"""What a command says on stderr."""

from __future__ import annotations

import pytest

_ERROR = "lumabraid: error: "


def only_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line there, an error, without its beginning."""
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return _told(said.removesuffix("\n"))


def last_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line, an error, without its beginning."""
    return _told(capsys.readouterr().err.splitlines()[-1])


def _told(line: str) -> str:
    assert line.startswith(_ERROR)
    return line.removeprefix(_ERROR)
