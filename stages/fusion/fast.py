"""Which engine fuses on a CPU in ``stream`` mode: the compiled one where numba is, else the network as it stands."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from stages.fusion import pyramid

if TYPE_CHECKING:
    from stages.fusion.compiled.engine import CompiledFusion

SMALLEST_SIDE = 2 * pyramid.SMALLEST_SIDE
"""Of pictures for the compiled engine, in pixels."""


@cache
def compiled_engine() -> type[CompiledFusion] | str:
    """The compiled engine, or why there is none."""
    try:
        from stages.fusion.compiled.engine import CompiledFusion
    except ImportError as error:
        return "numba does not load: " + str(error).partition("\n")[0]
    return CompiledFusion
