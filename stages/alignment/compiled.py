"""Loops over pixels as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """A function of arrays and numbers, compiled at its first call and kept on disk; other threads run beside it.

    Finite numbers only: NaN and infinity do not survive the compiler's shortcuts.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    machine_code: Any
    try:
        machine_code = numba.njit(**options, cache=True)(loop)
    except RuntimeError:  # no folder to write to: compiled anew in every process
        machine_code = numba.njit(**options)(loop)
    same: Loop = machine_code
    return same
