"""``hold_tones`` on rows of code values."""

from __future__ import annotations

import numpy as np

from stages.compiling import kernel, part
from stages.frame import PixelArray
from stages.fusion.compiled.rows import Floats, Source
from stages.fusion.lcndr import FLOOR_SHARE, KNEE, KNEE_SHARE, LEAST_KNEE

_KNEE, _KNEE_SHARE, _LEAST_KNEE = (np.float32(value) for value in (KNEE, KNEE_SHARE, LEAST_KNEE))
_SPAN_SHARE = np.float32(1 - FLOOR_SHARE)


@part
def _bend(value: np.float32, visible: np.float32, full: np.float32) -> np.float32:
    """Both above black, as ``full`` is."""
    knee = min(_KNEE_SHARE * visible, _KNEE * full) + _LEAST_KNEE * full
    span = _SPAN_SHARE * knee
    below = knee - min(value, knee)
    return np.float32(max(value, knee) - span + span * (span / (span + below)))


@part
def _bent(value: np.float32, under: np.float32, over: np.float32, low: np.float32, high: np.float32) -> np.float32:
    """A code value."""
    full = high - low
    darker, brighter = min(under, over), max(under, over)
    lifted = _bend(np.float32(value - low), np.float32(min(max(brighter, low), high) - low), full)
    lowered = _bend(np.float32(full - lifted), np.float32(high - min(max(darker, low), high)), full)
    return np.float32(high - lowered)


@part
def _held(
    value: np.float32, under: np.float32, over: np.float32, low: np.float32, high: np.float32, top: np.float32 | None
) -> np.float32 | np.int32:
    """The same, rounded where there is a largest code value."""
    if top is None:
        return _bent(value, under, over, low, high)
    return np.int32(min(max(_bent(value, under, over, low, high), np.float32(0)), top) + np.float32(0.5))


@part
def join_held(
    even: Floats,
    odd: Floats,
    under: Source,
    over: Source,
    target: Source,
    low: np.float32,
    high: np.float32,
    top: np.float32 | None,
) -> None:
    """The opposite of ``split_row``: even and odd columns as a row of code values, none lost to black or white.

    Args:
        even: with a cell of border at both ends.
        odd: the same.
        under: (W,) code values.
        over: the same.
        target: (W,), filled.
        low: code value of black.
        high: code value of white.
        top: the largest code value, where they are to be rounded; else None.
    """
    pairs = target.size // 2
    for j in range(pairs):
        x = 2 * j
        target[x] = _held(even[j + 1], np.float32(under[x]), np.float32(over[x]), low, high, top)
        x += 1
        target[x] = _held(odd[j + 1], np.float32(under[x]), np.float32(over[x]), low, high, top)
    if target.size % 2:
        x = target.size - 1
        target[x] = _held(even[pairs + 1], np.float32(under[x]), np.float32(over[x]), low, high, top)


@part
def hold_row(
    values: Floats,
    under: PixelArray,
    over: PixelArray,
    target: Source,
    coding: tuple[np.float32, np.float32],
    top: np.float32 | None,
) -> None:
    """A row in code values, none lost to black or white.

    Args:
        values: (W,) code values.
        under: the same.
        over: the same.
        target: (W,), filled; may be ``values``.
        coding: code values of black and white.
        top: the largest code value, where they are to be rounded; else None.
    """
    low, high = coding
    for x in range(target.size):
        target[x] = _held(values[x], np.float32(under[x]), np.float32(over[x]), low, high, top)


@kernel
def hold_rows(
    source: Floats,
    under: PixelArray,
    over: PixelArray,
    target: Source,
    first: int,
    last: int,
    coding: tuple[np.float32, np.float32],
    top: np.float32 | None,
) -> None:
    """Rows ``[first, last)`` of a picture likewise, all (H, W)."""
    for y in range(first, last):
        hold_row(source[y], under[y], over[y], target[y], coding, top)
