"""How much of a recording is kept."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from stages.encoding.segmentfile import is_segment

_LEAST_RESERVE, _MOST_RESERVE = 0.02, 0.25
"""Shares of the limit between which stays free what may be written until the next look."""
_FADING = 0.99
"""What a burst counts one look later."""


class Retention:
    """Keeps a folder's segments under a limit by deleting the oldest; other files are neither deleted nor counted.

    Older than the segments of this run, in the order they were begun, are all others, in the order of their names:
    names alone would mistake the newest for the oldest while a machine's clock is wrong.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        """Find what earlier runs left, whether complete or not.

        Args:
            folder: where the segments lie.
            limit_bytes: for all of them together; None keeps everything.
        """
        self.limit_bytes = limit_bytes
        self.deleted = 0
        """Segments that were removed."""
        self._complete = deque((path, _size(path)) for path in sorted(folder.iterdir()) if is_segment(path.name))
        self._complete_bytes = sum(size for _, size in self._complete)
        self._growing: dict[Path, int] = {}
        self._growth = 0.0
        self._seen_bytes = self._complete_bytes

    @property
    def held_bytes(self) -> int:
        """All segments together, when last looked at."""
        return self._complete_bytes + sum(self._growing.values())

    def begin(self, path: Path) -> None:
        """A segment was created; it is not deleted before its end."""
        self._growing[path] = 0

    def end(self, path: Path) -> None:
        """A segment grows no more."""
        del self._growing[path]
        size = _size(path)
        self._complete.append((path, size))
        self._complete_bytes += size

    def enforce(self) -> None:
        """Delete what is too much.

        Raises:
            OSError: a segment cannot be deleted.
        """
        self._growing = {path: _size(path) for path in self._growing}
        if self.limit_bytes is None:
            return
        self._growth = max(self.held_bytes - self._seen_bytes, self._growth * _FADING)
        reserve = min(max(2 * self._growth, _LEAST_RESERVE * self.limit_bytes), _MOST_RESERVE * self.limit_bytes)
        while self._complete and self.held_bytes > self.limit_bytes - reserve:
            path, size = self._complete[0]
            if path.exists():
                path.unlink()
                self.deleted += 1
            self._complete.popleft()
            self._complete_bytes -= size
        self._seen_bytes = self.held_bytes


def _size(path: Path) -> int:
    """In bytes; 0 when somebody else removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
