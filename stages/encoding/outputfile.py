"""The file a muxer writes into."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from stages.errors import EncodeError


class OutputFile:
    """A file without a buffer, so that what is written survives the process.

    The system's errors reach PyAV's caller as OSError, FFmpeg's own do not. Once the file is closed, PyAV leaves the
    muxer alone, also in its destructor. MP4 needs that: its trailer crashes the process when no packet was accepted.
    """

    def __init__(self, path: Path) -> None:
        """Create or empty the file.

        Raises:
            EncodeError: the system refuses.
        """
        self._path = path
        try:
            self._file = io.FileIO(path, "w")
        except OSError as error:
            raise self.error(error) from error
        self.name = str(path)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of it: the system may stop half way when the disk fills up, and FFmpeg would not notice."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def close(self) -> None:
        """Close it; OSError when the system could not keep what it had accepted."""
        self._file.close()

    def give_up(self) -> None:
        """Close it, whatever the system says."""
        with suppress(OSError):
            self._file.close()

    def error(self, error: OSError) -> EncodeError:
        """The system's error in one line for the user."""
        return EncodeError(f"{self._path}: cannot write: {error.strerror or error}; check the disk and its space")
