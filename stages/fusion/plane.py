"""Luma planes as strips read them: any rows, those beyond the picture repeat its edge."""

from __future__ import annotations

import torch
from torch import Tensor


def even(number: int) -> int:
    """The next even number."""
    return number + number % 2


def rows_of(picture: Tensor, first: int, last: int) -> Tensor:
    """Rows ``[first, last)`` of (..., H, w); rows outside the picture repeat its first or last row."""
    height = picture.shape[-2]
    if first >= 0 and last <= height:
        return picture[..., first:last, :]
    inside = picture[..., max(first, 0) : min(last, height), :]
    above = inside[..., :1, :].expand(*inside.shape[:-2], max(-first, 0), -1)
    below = inside[..., -1:, :].expand(*inside.shape[:-2], max(last - height, 0), -1)
    return torch.cat([above, inside, below], dim=-2)


def even_columns(rows: Tensor) -> Tensor:
    """(..., n, w) with its last column repeated where w is odd."""
    if rows.shape[-1] % 2 == 0:
        return rows
    return torch.cat([rows, rows[..., -1:]], dim=-1)


class Level:
    """One level of three pyramids at once: under, over, fused; (3, H, W) with a border that repeats the edge.

    Rows and columns are filled up to even numbers before the border of one.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.height, self.width = size
        self.bordered = torch.empty(3, even(self.height) + 2, even(self.width) + 2)

    @property
    def pictures(self) -> Tensor:
        """(3, H, W)."""
        return self.bordered[:, 1 : 1 + self.height, 1 : 1 + self.width]

    def rows(self, first: int, last: int) -> Tensor:
        """Rows ``[first, last)``, -1 and even(H) + 1 at most, with a column of border at both sides: (3, n, W + 2)."""
        return self.bordered[:, 1 + first : 1 + last, : self.width + 2]

    def mend(self, pictures: slice) -> None:
        """Repeat the edge into the border of some of the pictures."""
        bordered = self.bordered[pictures]
        bordered[..., 0] = bordered[..., 1]
        bordered[..., 1 + self.width :] = bordered[..., self.width : self.width + 1]
        bordered[:, 0] = bordered[:, 1]
        bordered[:, 1 + self.height :] = bordered[:, self.height : self.height + 1]

    def sources(self, first: int, last: int) -> Tensor:
        """Rows ``[first, last)`` of under and over without the columns' border: (2, n, even(W))."""
        return self.bordered[:2, 1 + first : 1 + last, 1:-1]
