"""Arithmetic in kernels that LLVM can put into vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from stages.compiling import part


def _bitcast(source: Any, target: Any, llvm_type: ir.Type) -> Any:
    """A function for kernels that reads a number's bits as another type."""

    def typed(context: Any, value: Any) -> Any:
        return target(source), lambda _, builder, __, arguments: builder.bitcast(arguments[0], llvm_type)

    return intrinsic(typed)


_bits = _bitcast(types.float32, types.int32, ir.IntType(32))
_from_bits = _bitcast(types.int32, types.float32, ir.FloatType())
_TWO_THIRDS = np.int32(0x3F2AAAAB)
"""Its bits."""


@part
def log2(value: np.float32) -> np.float32:
    """Of a positive number, within 3e-5."""
    exponent = np.int32(np.int32(_bits(value) - _TWO_THIRDS) >> np.int32(23))
    # The mantissa, in [2/3, 4/3), minus 1.
    part = _from_bits(np.int32(_bits(value) - np.int32(exponent << np.int32(23)))) - np.float32(1)
    series = np.float32(0.33374087)
    series = series * part + np.float32(-0.39728105)
    series = series * part + np.float32(0.4784718)
    series = series * part + np.float32(-0.72029935)
    series = series * part + np.float32(1.44271621)
    return np.float32(np.float32(exponent) + series * part)


@part
def exp2(value: np.float32) -> np.float32:
    """Within 4e-6 of its size; numbers beyond 30 count as 30, below -30 as -30."""
    positive = min(max(value, np.float32(-30)), np.float32(30)) + np.float32(31)
    whole = np.int32(positive)
    part = positive - np.float32(whole)
    series = np.float32(0.01369766)
    series = series * part + np.float32(0.05169036)
    series = series * part + np.float32(0.24163845)
    series = series * part + np.float32(0.69296612)
    series = series * part + np.float32(1.0000037)
    # 96 is the exponent's bias, 127, less the 31 added above.
    return np.float32(series * _from_bits(np.int32(np.int32(whole + np.int32(96)) << np.int32(23))))


@part
def sigmoid(logit2: np.float32) -> np.float32:
    """Of a logit times log2(e)."""
    return np.float32(np.float32(1) / (np.float32(1) + exp2(np.float32(-logit2))))


@part
def arc_cosine(cosine: np.float32) -> np.float32:
    """Of a number from 0 to 1, within 7e-5: Abramowitz, Stegun, Handbook of Mathematical Functions, 4.4.45."""
    series = np.float32(-0.0187293)
    series = series * cosine + np.float32(0.0742610)
    series = series * cosine + np.float32(-0.2121144)
    series = series * cosine + np.float32(1.5707288)
    return np.float32(np.sqrt(np.float32(1) - cosine) * series)
