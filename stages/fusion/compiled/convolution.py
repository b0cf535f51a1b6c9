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

from stages.compiling import kernel
from stages.fusion.compiled.rows import Floats

_WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
_LANES = 16 if _WIDE else 8
_VECTORS = 4 if _WIDE else 2
_CHANNELS = 4
"""Computed at a time."""
BLOCK_PIXELS = _LANES * _VECTORS
"""Side by side."""

_INT64, _FLOAT = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, _LANES)


def _block_of(side: int) -> Any:
    """A function for kernels: ``BLOCK_PIXELS`` pixels of ``_CHANNELS`` output channels.

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
        sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(_VECTORS)] for _ in range(_CHANNELS)]
        for channel in range(_CHANNELS):
            bias = spread(builder.load(after(biases, channel)))
            for part in sums[channel]:
                builder.store(bias, part)
        with cgutils.for_range(builder, channels) as loop:
            corner = after(source, builder.mul(loop.index, plane))
            tap = after(weights, builder.mul(loop.index, ir.Constant(_INT64, side * side * _CHANNELS)))
            for _ in range(side):
                for column in range(side):
                    seen = []
                    for part in range(_VECTORS):
                        seen.append(builder.load(vector(after(corner, column + part * _LANES)), align=4))
                    for channel in range(_CHANNELS):
                        weight = spread(builder.load(after(tap, channel)))
                        for pixels, part in zip(seen, sums[channel], strict=True):
                            product = builder.fmul(pixels, weight, flags=("contract",))
                            builder.store(builder.fadd(builder.load(part), product, flags=("contract",)), part)
                    tap = after(tap, _CHANNELS)
                corner = after(corner, row)
        slopes, nothing = spread(slope), ir.Constant(_VECTOR, None)
        for channel in range(_CHANNELS):
            plane_of_channel = after(target, builder.mul(plane, ir.Constant(_INT64, channel)))
            for index, part in enumerate(sums[channel]):
                value = builder.load(part)
                positive = builder.fcmp_ordered(">", value, nothing)
                value = builder.select(positive, value, builder.fmul(value, slopes))
                builder.store(value, vector(after(plane_of_channel, index * _LANES)), align=4)
        return context.get_dummy_value()

    return intrinsic(typed)


_block_of_3, _block_of_1 = _block_of(3), _block_of(1)


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
        source: as ``bordered`` makes them; as many as the weights take.
        weights: as ``packed`` gives them.
        biases: for each output channel, filled up as the weights are.
        slope: of negative results; 1 for no rectifier.
        target: as ``bordered`` makes them, same size.
        first: row.
        last: the row after the last.
        width: of the picture.
    """
    channels, rows, stride = source.shape
    blocks, _, taps, at_once = weights.shape
    pixels, planes = source.reshape(source.size), target.reshape(target.size)
    numbers = weights.reshape(weights.size)
    plane = rows * stride
    for y in range(first, last):
        for block in range(blocks):
            tap = block * channels * taps * at_once
            for x in range(0, width, BLOCK_PIXELS):
                # The last block overlaps the one before rather than the picture's edge.
                corner = y * stride + max(min(x, width - BLOCK_PIXELS), 0)
                centre = corner + stride + 1
                to = block * at_once * plane + centre
                bias = block * at_once
                if taps == 1:
                    _block_of_1(pixels, centre, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
                else:
                    _block_of_3(pixels, corner, numbers, tap, biases, bias, planes, to, stride, plane, channels, slope)
            if width < BLOCK_PIXELS:
                for channel in range(block * at_once, block * at_once + at_once):
                    for x in range(width + 1, stride):
                        target[channel, y + 1, x] = np.float32(0)
