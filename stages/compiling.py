"""Loops over pixels as machine code: numba's compiler, and where it keeps what it made.

Functions of arrays and numbers are compiled at their first call. What a process compiled, later ones load, from
``NUMBA_CACHE_DIR`` or the user's cache folder, as long as no module of the stage has changed: numba itself would only
look at the one that a function stands in, not at those whose functions and constants went into it.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import config, njit
from numba.core.event import Listener, register

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log = logging.getLogger(__name__)
_settings: Any = config
"""Numba's; it declares none of them."""
_KERNEL: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
_PART = _KERNEL | {"_nrt": False}
"""The last as in the documentation of ``numba.extending.register_jitable``; not declared either."""


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """What Python calls: kept on disk; runs without the interpreter's lock.

    Arithmetic may be reordered, and values must be finite.
    """
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(_cache_folder(function.__module__.split(".")[1]))
    try:
        return cast(Callable[_P, _R], njit(**_KERNEL, cache=True)(function))
    except RuntimeError:
        # Neither that folder nor the package's own can be written to.
        return cast(Callable[_P, _R], njit(**_KERNEL)(function))
    finally:
        _settings.CACHE_DIR = before


def part(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """What only kernels call: compiled with them, hence not kept by itself. It makes no arrays, only views of them.

    So views need not be counted, which costs more than the work where rows are short.
    """
    return cast(Callable[_P, _R], njit(**_PART)(function))


class _Announcement(Listener):
    """Says what the user waits for, when the first function is not found on disk."""

    def __init__(self) -> None:
        self._made = False

    def on_start(self, event: object) -> None:
        """Something is compiled."""
        if not self._made:
            self._made = True
            _log.info("compiling for this machine: up to a minute, kept for the next start")

    def on_end(self, event: object) -> None:
        """It is done."""


register("numba:compile", _Announcement())


@cache
def _cache_folder(stage: str) -> Path:
    """For what is made of a stage's modules as they are now."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    place = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    states = [(path.name, path.stat()) for path in sorted((Path(__file__).parent / stage).rglob("*.py"))]
    fingerprint = zlib.crc32(repr([(name, state.st_size, state.st_mtime_ns) for name, state in states]).encode())
    return place / "lumabraid" / f"{stage}-{fingerprint:08x}"
