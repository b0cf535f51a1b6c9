"""BGR at the edges: conversion from and to planar YUV 4:2:0, matrix and range always named by the tags.

Chroma is sampled at the centre of each 2 x 2 block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.frame import ColorTags, PixelArray, Planes


def _range_scale(tags: ColorTags, bit_depth: int) -> tuple[float, float, float]:
    """(black level, luma excursion, chroma excursion) in code values, ITU-T H.273 section 8.3."""
    if tags.is_full_range:
        top = float((1 << bit_depth) - 1)
        return 0.0, top, top
    unit = float(1 << (bit_depth - 8))
    return 16 * unit, 219 * unit, 224 * unit


def _quantise(values: npt.NDArray[np.floating], bit_depth: int) -> PixelArray:
    """Round and clip to code values."""
    top = (1 << bit_depth) - 1
    rounded: npt.NDArray[np.floating] = np.clip(np.rint(values), 0, top)
    return rounded.astype(np.uint8) if bit_depth == 8 else rounded.astype(np.uint16)


def planes_from_bgr(bgr: npt.NDArray[np.float32], tags: ColorTags, *, bit_depth: int = 8) -> Planes:
    """Planar YUV of a gamma-encoded BGR picture.

    Args:
        bgr: (height, width, 3) float32 in [0, 1].
        tags: names the matrix and the range of the result.
        bit_depth: 8 or 10.
    """
    height, width = bgr.shape[:2]
    kr, kb = tags.luma_coefficients(height=height)
    blue, green, red = (bgr[..., channel] for channel in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    half = (-(-width // 2), -(-height // 2))
    differences = []
    for channel, weight in ((blue, kb), (red, kr)):
        difference = (channel - luma) / (2 * (1 - weight))
        padded = cv2.copyMakeBorder(difference, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        differences.append(cv2.resize(padded, half, interpolation=cv2.INTER_AREA))
    black, luma_span, chroma_span = _range_scale(tags, bit_depth)
    middle = float(1 << (bit_depth - 1))
    return Planes(
        _quantise(black + luma_span * luma, bit_depth),
        _quantise(middle + chroma_span * np.stack(differences), bit_depth),
        bit_depth,
    )


def bgr_from_planes(planes: Planes, tags: ColorTags) -> npt.NDArray[np.float32]:
    """Gamma-encoded BGR (height, width, 3) float32 in [0, 1] of planar YUV, clipped to the gamut."""
    height, width = planes.luma.shape
    kr, kb = tags.luma_coefficients(height=height)
    black, luma_span, chroma_span = _range_scale(tags, planes.bit_depth)
    middle = float(1 << (planes.bit_depth - 1))
    luma = (planes.luma.astype(np.float32) - black) / luma_span
    even = (width + width % 2, height + height % 2)
    cb, cr = (
        cv2.resize((plane.astype(np.float32) - middle) / chroma_span, even, interpolation=cv2.INTER_LINEAR)[
            :height, :width
        ]
        for plane in planes.chroma
    )
    red = luma + 2 * (1 - kr) * cr
    blue = luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    bgr: npt.NDArray[np.float32] = np.clip(np.stack([blue, green, red], axis=-1), 0, 1).astype(np.float32)
    return bgr


def screen_bgr(
    channels: Sequence[npt.NDArray[Any]],
    tags: ColorTags,
    *,
    height: int,
    merged: npt.NDArray[np.uint8] | None = None,
    bgr: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """8-bit full-range BGR (rows, columns, 3) for a screen; rounds twice, at a fraction of ``bgr_from_planes``' time.

    Args:
        channels: Y, Cb and Cr, (rows, columns) uint8 each.
        tags: name their matrix and range; the transfer function stays as it is.
        height: of the picture as stored; it stands in for a matrix that is not specified.
        merged: memory to use in between, (rows, columns, 3).
        bgr: memory for the result, of the same shape.
    """
    matrix = _bgr_matrix(tags, height=height)
    return cv2.transform(cv2.merge(channels, dst=merged), matrix, dst=bgr).astype(np.uint8, copy=False)


def _bgr_matrix(tags: ColorTags, *, height: int) -> npt.NDArray[np.float32]:
    """(3, 4), from 8-bit (Y, Cb, Cr, 1) to 8-bit full-range BGR: ITU-T H.273 section 8.3, inverted."""
    kr, kb = tags.luma_coefficients(height=height)
    black, luma_span, chroma_span = _range_scale(tags, 8)
    kg = 1 - kr - kb
    cb, cr = 2 * (1 - kb), 2 * (1 - kr)
    linear = np.array([[1, cb, 0], [1, -kb * cb / kg, -kr * cr / kg], [1, 0, cr]])
    linear = linear * 255 / np.array([luma_span, chroma_span, chroma_span])
    offset = -linear @ np.array([black, 128, 128])
    return np.column_stack([linear, offset]).astype(np.float32)
