"""The thread that sees to the disk while segments are written, so that the pipeline never waits for it."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from stages.encoding.outage import Reminder
from stages.encoding.retention import Retention
from stages.errors import ConfigError

_log = logging.getLogger(__name__)

_LOOK_S = 0.1
"""From one look at the segments to the next; how long written bytes wait for being sent to the disk."""
_CLOSE_S = 20.0
"""How long a disk that hangs may keep the process at the end."""
_RESUME = 1.1
"""Times the least free space must be free to go on, so that recording does not stop and start all the time."""


@dataclass(slots=True)
class _Written:
    """A segment that is not safely on the disk yet."""

    descriptor: int
    synced_bytes: int = -1
    ended: bool = False


class SegmentKeeper:
    """Sends what is written to the disk, deletes what is too much, and watches the free space.

    A folder has one recorder at a time: another one's segments must not count as its own.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None, min_free_bytes: int) -> None:
        """Take the folder and start.

        Args:
            folder: exists.
            max_bytes: for all segments in it; None deletes nothing.
            min_free_bytes: what the disk must have free.

        Raises:
            ConfigError: another recorder has the folder, or it cannot be read.
        """
        self.obstacle: str | None = None
        """Why nothing can be recorded now; None when all is well."""
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._written: dict[Path, _Written] = {}
        self._news: SimpleQueue[tuple[Path, bool]] = SimpleQueue()
        self._closing = Event()
        self._reminder = Reminder(_log)
        self._folder_descriptor = _taken(folder)
        try:
            self.retention = Retention(folder)
            self.retention.limit_bytes = self._affordable(max_bytes)
        except OSError as error:
            os.close(self._folder_descriptor)
            raise ConfigError(f"folder {folder} cannot be read: {error.strerror}; choose another") from error
        self._look()
        self._thread = Thread(target=self._run, name="segments", daemon=True)
        self._thread.start()

    def begin(self, path: Path) -> None:
        """A segment was created."""
        self._news.put((path, False))

    def end(self, path: Path) -> None:
        """A segment grows no more."""
        self._news.put((path, True))

    def close(self) -> None:
        """Wait until everything is on the disk, and let go of the folder. Never raises."""
        self._closing.set()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            _log.warning("%s: the disk does not answer; the last seconds may not be on it", self._folder)
        else:
            os.close(self._folder_descriptor)

    def _affordable(self, max_bytes: int | None) -> int | None:
        """The limit, or what the disk has room for if that is less."""
        if max_bytes is None:
            return None
        room = self.retention.held_bytes + shutil.disk_usage(self._folder).free - self._min_free_bytes
        if not 0 < room < max_bytes:
            return max_bytes
        given, has = max_bytes / 1e6, room / 1e6
        _log.warning("%s: the disk has room for %.0f MB of segments, not for %.0f", self._folder, has, given)
        return room

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            self._hear_news()
            self._sync()
        except OSError as error:
            self._reminder.remind("%s: the disk does not keep what is written: %s", self._folder, error.strerror)
        try:
            self.retention.enforce()
            self.obstacle = self._lack_of_space()
        except OSError as error:
            self.obstacle = f"the folder cannot be kept in order: {error.strerror}"

    def _hear_news(self) -> None:
        while True:
            try:
                path, ended = self._news.get_nowait()
            except Empty:
                return
            if ended:
                self.retention.end(path)
                if path in self._written:
                    self._written[path].ended = True
            else:
                self.retention.begin(path)
                with suppress(FileNotFoundError):  # given up and removed by now
                    self._written[path] = _Written(os.open(path, os.O_RDONLY))

    def _sync(self) -> None:
        for path, file in list(self._written.items()):
            size = os.fstat(file.descriptor).st_size
            if file.ended:
                del self._written[path]
            try:
                if file.ended or size != file.synced_bytes:
                    os.fsync(file.descriptor)
                if file.synced_bytes < 0:
                    with suppress(OSError):  # not every file system can do this with a folder
                        os.fsync(self._folder_descriptor)
            finally:
                file.synced_bytes = size
                if file.ended:
                    os.close(file.descriptor)

    def _lack_of_space(self) -> str | None:
        free = shutil.disk_usage(self._folder).free
        least = self._min_free_bytes if self.obstacle is None else round(self._min_free_bytes * _RESUME)
        if free >= least:
            return None
        return f"the disk has only {free / 1e6:.0f} MB free, and min_free_mb is {self._min_free_bytes / 1e6:g}"


def _taken(folder: Path) -> int:
    """A descriptor of the folder that no other process, and nobody else in this one, can take too."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"folder {folder} cannot be opened: {error.strerror}; choose another") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(f"folder {folder} is being recorded into already; choose another") from None
    except OSError:
        _log.info("%s: the file system has no locks; see that nobody else records into it", folder)
    return descriptor
