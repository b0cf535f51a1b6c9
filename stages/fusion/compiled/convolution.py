"""3 x 3 and 1 x 1 convolutions of float32 planes, in vectors along the rows.

What a compiler does not find by itself: of ``_CHANNELS`` channels and a few vectors of pixels the sums stay in
registers, so that every number read serves several multiplications. Measured: as fast as oneDNN with wide layers, and
without its loss where channels are few.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from stages.compiling import kernel, part
from stages.fusion.compiled.rows import Floats

_WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
_LANES = 16 if _WIDE else 8
_VECTORS = 4 if _WIDE else 2
_CHANNELS = 4
"""Computed at a time."""
BLOCK_PIXELS = _LANES * _VECTORS
"""Side by side, where there are as many."""

_INT64, _FLOAT = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, _LANES)


def _block_of(side: int, vectors: int) -> Any:
    """A function for kernels: so many vectors of pixels of ``_CHANNELS`` output channels.

    Its arguments: source, weights, biases and target, each an array and the number of its first element; then the
    elements of a row and of a plane, the number of input channels, and the slope of negative results.
    """
    place = (types.Array(types.float32, 1, "C"), types.int64)
    signature = types.void(*(place * 4), types.int64, types.int64, types.int64, types.float32)

    def typed(
        context: Any,
        source: Any,
        source_at: Any,
        weights: Any,
        weights_at: Any,
        biases: Any,
        biases_at: Any,
        target: Any,
        target_at: Any,
        row: Any,
        plane: Any,
        channels: Any,
        slope: Any,
    ) -> Any:
        return signature, generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def first_of(index: int) -> Any:
            array = context.make_array(signature.args[index])(context, builder, arguments[index])
            return builder.gep(array.data, [arguments[index + 1]])

        def after(pointer: Any, elements: Any) -> Any:
            return builder.gep(pointer, [elements if isinstance(elements, ir.Value) else ir.Constant(_INT64, elements)])

        def spread(number: Any) -> Any:
            undefined = ir.Constant(_VECTOR, ir.Undefined)
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), None)
            one = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(one, undefined, zeros)

        def vector(pointer: Any) -> Any:
            return builder.bitcast(pointer, _VECTOR.as_pointer())

        source, weights, biases, target = (first_of(index) for index in (0, 2, 4, 6))
        row, plane, channels, slope = arguments[8:]
        sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(vectors)] for _ in range(_CHANNELS)]
        for channel in range(_CHANNELS):
            bias = spread(builder.load(after(biases, channel)))
            for total in sums[channel]:
                builder.store(bias, total)
        with cgutils.for_range(builder, channels) as loop:
            corner = after(source, builder.mul(loop.index, plane))
            tap = after(weights, builder.mul(loop.index, ir.Constant(_INT64, side * side * _CHANNELS)))
            for _ in range(side):
                for column in range(side):
                    seen = []
                    for index in range(vectors):
                        seen.append(builder.load(vector(after(corner, column + index * _LANES)), align=4))
                    for channel in range(_CHANNELS):
                        weight = spread(builder.load(after(tap, channel)))
                        for pixels, total in zip(seen, sums[channel], strict=True):
                            product = builder.fmul(pixels, weight, flags=("contract",))
                            builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
                    tap = after(tap, _CHANNELS)
                corner = after(corner, row)
        slopes, nothing = spread(slope), ir.Constant(_VECTOR, None)
        for channel in range(_CHANNELS):
            plane_of_channel = after(target, builder.mul(plane, ir.Constant(_INT64, channel)))
            for index, total in enumerate(sums[channel]):
                value = builder.load(total)
                positive = builder.fcmp_ordered(">", value, nothing)
                value = builder.select(positive, value, builder.fmul(value, slopes))
                builder.store(value, vector(after(plane_of_channel, index * _LANES)), align=4)
        return context.get_dummy_value()

    return intrinsic(typed)


_whole_of_3, _whole_of_1 = _block_of(3, _VECTORS), _block_of(1, _VECTORS)
_rest_of_3, _rest_of_1 = _block_of(3, 1), _block_of(1, 1)


def bordered(channels: int, height: int, width: int) -> Floats:
    """Planes of zeros with a border of one pixel, (channels, height + 2, ...), and room for a block in each row."""
    return np.zeros((filled_channels(channels), height + 2, max(width, BLOCK_PIXELS) + 2), np.float32)


def filled_channels(channels: int) -> int:
    """Filled up to what is computed at a time."""
    return -(-channels // _CHANNELS) * _CHANNELS


def packed(weight: Floats) -> Floats:
    """A convolution's weight (out, in, side, side) as ``convolve`` reads it: (blocks, in, side * side, 4)."""
    out_channels, in_channels = weight.shape[:2]
    filled = np.zeros((filled_channels(out_channels), in_channels, weight.shape[2] * weight.shape[3]), np.float32)
    filled[:out_channels] = weight.reshape(out_channels, in_channels, -1)
    blocks = filled.reshape(-1, _CHANNELS, in_channels, filled.shape[2])
    return np.ascontiguousarray(blocks.transpose(0, 2, 3, 1))


@part
def convolve_row(
    source: Floats, weights: Floats, biases: Floats, slope: np.float32, target: Floats, row: int, width: int
) -> None:
    """A row of the arrays in a convolution that pads with zeros, and its leaky rectifier; may change what lies beyond.

    Arrays of a single row have no border above and below, which a 1 x 1 convolution does not see.
    """
    _, rows, stride = source.shape
    blocks, channels, taps, at_once = weights.shape
    pixels, planes = source.reshape(source.size), target.reshape(target.size)
    numbers = weights.reshape(weights.size)
    plane = rows * stride
    for block in range(blocks):
        tap, bias = block * channels * taps * at_once, block * at_once
        x = 0
        while x < width:
            whole = _is_whole(x, width)
            centre = row * stride + 1 + _start(x, width, whole)
            to, corner = bias * plane + centre, centre - stride - 1
            if taps == 1:
                if whole:
                    _whole_of_1(pixels, centre, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
                else:
                    _rest_of_1(pixels, centre, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
            elif whole:
                _whole_of_3(pixels, corner, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
            else:
                _rest_of_3(pixels, corner, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
            x += BLOCK_PIXELS if whole else _LANES


@part
def _is_whole(x: int, width: int) -> bool:
    """Whether a whole block from ``x`` on costs less than vectors one by one."""
    return width - x > _LANES and 2 * width > BLOCK_PIXELS


@part
def _start(x: int, width: int, whole: bool) -> int:
    """Where a block begins: the last one overlaps the one before rather than the picture's edge."""
    return max(min(x, width - (BLOCK_PIXELS if whole else _LANES)), 0)


@part
def convolve_rows(
    source: Floats,
    weights: Floats,
    biases: Floats,
    slope: np.float32,
    target: Floats,
    first: int,
    last: int,
    width: int,
) -> None:
    """``convolve`` for kernels."""
    for y in range(first, last):
        convolve_row(source, weights, biases, slope, target, y + 1, width)
        if width < BLOCK_PIXELS:
            for channel in range(weights.shape[0] * weights.shape[3]):
                for x in range(width + 1, target.shape[2]):
                    target[channel, y + 1, x] = np.float32(0)


@kernel
def convolve(
    source: Floats,
    weights: Floats,
    biases: Floats,
    slope: np.float32,
    target: Floats,
    first: int,
    last: int,
    width: int,
) -> None:
    """Rows ``[first, last)`` of a convolution that pads with zeros, and its leaky rectifier.

    Args:
        source: as ``bordered`` makes them; as many as the weights take, or more, of which the first count.
        weights: as ``packed`` gives them.
        biases: for each output channel, filled up as the weights are.
        slope: of negative results; 1 for no rectifier.
        target: as ``bordered`` makes them, same size.
        first: row.
        last: the row after the last.
        width: of the picture.
    """
    convolve_rows(source, weights, biases, slope, target, first, last, width)
