"""Pyramid filters on rows whose even and odd columns lie in two planes (polyphase): every operation is contiguous.

The filters are those of ``stages.fusion.pyramid``: (1 3 3 1)/8 down, bilinear up. A picture of odd size counts as the
even one with its last row or column repeated.
"""

from __future__ import annotations

import torch
from torch import Tensor


def split(rows: Tensor) -> Tensor:
    """(..., n, 2w) -> (2, ..., n, w) float32: even columns, odd columns."""
    halves = torch.empty(2, *rows.shape[:-1], rows.shape[-1] // 2)
    halves[0].copy_(rows[..., 0::2])
    halves[1].copy_(rows[..., 1::2])
    return halves


def reduce_rows(rows: Tensor) -> Tensor:
    """(..., 2n + 2, w), of which the first and last lie outside the 2n to be reduced -> (..., n, w) times 8."""
    reduced = rows[..., 1:-1:2, :] + rows[..., 2::2, :]
    reduced.mul_(3).add_(rows[..., 0:-2:2, :]).add_(rows[..., 3::2, :])
    return reduced


def reduce_columns(halves: Tensor) -> Tensor:
    """(2, ..., n, w) -> (..., n, w) times 8."""
    even, odd = halves
    reduced: Tensor = even + odd
    reduced.mul_(3)
    reduced[..., 1:].add_(odd[..., :-1])
    reduced[..., :1].add_(even[..., :1])
    reduced[..., :-1].add_(even[..., 1:])
    reduced[..., -1:].add_(odd[..., -1:])
    return reduced


def expand_columns(bordered: Tensor) -> Tensor:
    """(..., n, w + 2) with a column of border at both sides -> (2, ..., n, w)."""
    middle = bordered[..., 1:-1]
    halves = torch.empty(2, *middle.shape)
    torch.lerp(middle, bordered[..., :-2], 0.25, out=halves[0])
    torch.lerp(middle, bordered[..., 2:], 0.25, out=halves[1])
    return halves


def add_expanded_rows(rows: Tensor, coarse: Tensor, factor: float) -> None:
    """Add ``factor`` times ``coarse`` brought up to twice its rows.

    Args:
        rows: (..., 2n, w), changed in place.
        coarse: (..., n + 2, w), with a row of border above and below.
        factor: of what is added.
    """
    near, far = 0.75 * factor, 0.25 * factor
    middle = coarse[..., 1:-1, :]
    rows[..., 0::2, :].add_(middle, alpha=near).add_(coarse[..., :-2, :], alpha=far)
    rows[..., 1::2, :].add_(middle, alpha=near).add_(coarse[..., 2:, :], alpha=far)
