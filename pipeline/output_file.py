"""Files that a command writes when its work is done: at its beginning it finds out whether they can be written."""

from __future__ import annotations

from pathlib import Path

from stages.encoding.atomic import check_folder, check_ordinary
from stages.errors import ConfigError, EncodeError


def check_output(path: Path, *, what: str = "output") -> None:
    """Refuse a name that ``write_output`` could not write.

    Args:
        path: the file, which may exist.
        what: what messages call it.

    Raises:
        ConfigError: its folder is missing or not writable, or the name is taken by a folder, a device or a pipe.
    """
    check_folder(path.absolute().parent, what=what)
    if path.is_dir():
        raise ConfigError(f"{what} {path} is a folder; give the name of a file")
    check_ordinary(path, what=what)


def write_output(path: Path, content: str | bytes) -> None:
    """Write beside the final name and rename: nobody ever sees half a file, and none is left when it fails.

    Raises:
        EncodeError: it cannot be written.
    """
    if isinstance(content, str):
        # A file name that is not UTF-8 comes as lone surrogates, which are escaped in JSON.
        content = content.encode("utf-8", errors="backslashreplace")
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EncodeError(f"{path}: cannot be written: {error.strerror}; check the disk and its space") from None
