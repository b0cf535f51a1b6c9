"""Operations joined into few kernels by torch's compiler, as long as that works.

Run one by one, operations on pictures spend their time on launching and on reading back what the one before wrote.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Generic, ParamSpec, TypeVar

import torch

_P = ParamSpec("_P")
_R = TypeVar("_R")

_log = logging.getLogger(__name__)

_MOST_COMPILATIONS: Final = 64
"""Of a function: pictures whose sizes are odd at different levels need their own."""

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


def torch_compiler(function: Callable[..., Any]) -> Callable[..., Any]:
    """One compilation for all sizes that halve alike; torch keeps what it made (``TORCHINDUCTOR_CACHE_DIR``)."""
    # Its declaration does not know the limit.
    join: Any = torch.compile
    joined: Callable[..., Any] = join(function, fullgraph=True, dynamic=True, recompile_limit=_MOST_COMPILATIONS)
    return joined


class Joiner:
    """Joins functions, all of them or, once the compiler has failed, none.

    Args:
        compiler: what joins one; it may also fail when the result is first called.
    """

    def __init__(self, compiler: Compiler = torch_compiler) -> None:
        self.compiler: Final = compiler
        self.has_failed = False
        self._has_begun = False

    def join(self, function: Callable[_P, _R]) -> Joined[_P, _R]:
        """A function of tensors that does the same in fewer kernels."""
        return Joined(self, function)

    def begin(self) -> None:
        """Say what the first call waits for."""
        if not self._has_begun:
            self._has_begun = True
            _log.info("compiling for this GPU: up to some minutes, kept for the next start")

    def give_up(self, error: Exception) -> None:
        """Say why it goes on without."""
        if not self.has_failed:
            self.has_failed = True
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            _log.warning("fusion launches its operations one by one: torch's compiler failed: %s", reason)


class Joined(Generic[_P, _R]):
    """A function that is compiled at its first call; where that fails, it is called as it stands."""

    def __init__(self, joiner: Joiner, function: Callable[_P, _R]) -> None:
        self._joiner = joiner
        self._function = function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """The function's result.

        Raises:
            torch.OutOfMemoryError: of the device.
            torch.AcceleratorError: it gave out.
        """
        if not self._joiner.has_failed:
            try:
                if self._compiled is None:
                    self._joiner.begin()
                    self._compiled = self._joiner.compiler(self._function)
                result: _R = self._compiled(*args, **kwargs)
                return result
            except (torch.OutOfMemoryError, torch.AcceleratorError):
                raise
            except Exception as error:
                # Whatever a compiler may lack: itself, a C compiler, headers, a place for what it makes.
                self._joiner.give_up(error)
        return self._function(*args, **kwargs)
