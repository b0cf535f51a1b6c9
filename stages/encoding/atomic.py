"""Writing beside the final name: what lies under the final name is always whole."""

from __future__ import annotations

import os
from pathlib import Path

from stages.errors import ConfigError, EncodeError


class PartialFile:
    """A file that is written as NAME.partial.EXT and gets its name when it is complete."""

    def __init__(self, final: Path) -> None:
        """``final``: the name it shall get; nothing is touched yet."""
        self.final = Path(os.path.abspath(final))  # noqa: PTH100 - Path.absolute keeps "..", resolve follows a link
        self.partial = self.final.with_name(f"{self.final.stem}.partial{self.final.suffix}")

    def check(self, *, overwrite: bool, source: str | None = None) -> None:
        """Refuse a name that cannot be written.

        Args:
            overwrite: False refuses a file that exists.
            source: path or URL being read, which must not be the output.

        Raises:
            ConfigError: the folder is missing or not writable, or the name is taken by a folder, a device, a pipe,
                the source, or a file that shall not be overwritten.
        """
        check_folder(self.final.parent)
        if self.final.is_dir():
            raise ConfigError(f"output {self.final} is a folder; give the name of a file in it")
        check_ordinary(self.final)
        if source is not None and any(_is_same(path, source) for path in (self.final, self.partial)):
            raise ConfigError(f"output {self.final} would overwrite the input {source}; give another name")
        if self.final.exists() and not overwrite:
            raise ConfigError(f"output {self.final} exists; give another name or set overwrite")

    def commit(self) -> None:
        """Put the complete file under its final name, in place of what was there.

        Raises:
            EncodeError: the system refuses; the file stays under its partial name.
        """
        try:
            descriptor = os.open(self.partial, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self.partial.replace(self.final)
        except OSError as error:
            reason = error.strerror or error
            raise EncodeError(f"cannot rename {self.partial} to {self.final.name}: {reason}") from error

    def discard(self) -> None:
        """Remove what was written."""
        self.partial.unlink(missing_ok=True)


def check_ordinary(path: Path, *, what: str = "output") -> None:
    """Raise ConfigError where ``path`` is neither a file nor a folder: it would be replaced, not written to."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ConfigError(f"{what} {path} is a device, pipe or socket; give the name of a file or folder")


def _is_same(path: Path, source: str) -> bool:
    return path.exists() and Path(source).exists() and path.samefile(source)


def check_folder(folder: Path, *, what: str = "output") -> None:
    """Raise ConfigError unless ``folder`` is a folder one can write in; ``what`` is to be written there."""
    if not folder.exists():
        raise ConfigError(f"{what} folder {folder} does not exist; create it first")
    check_ordinary(folder, what=what)
    if not folder.is_dir():
        raise ConfigError(f"{what} folder {folder} is not a folder; choose another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{what} folder {folder} is not writable; choose another")
