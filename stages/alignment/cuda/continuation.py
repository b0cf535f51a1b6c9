"""What saturated parts are taken for at the other exposure: ``stages.alignment.continuation`` on the device.

The pictures are small and every step is linear along rows and columns: OpenCV's own filters, told as matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.alignment.continuation import (
    ENOUGH_KNOWN_SHARE,
    EVENNESS_SHARE,
    FAINT,
    REACH_SHARE,
    SMOOTH_SIZE_PX,
    thumbnail_step,
)
from stages.alignment.cuda.picture import Picture, lookup, rounded
from stages.alignment.cuda.substitute import chroma_gains
from stages.alignment.levels import Levels
from stages.alignment.resampling import fit
from stages.device.planes import Layout

Matrix = npt.NDArray[np.float32]
"""(wanted, given): pixels along one direction from those given."""
Place = Callable[[Matrix], Tensor]
"""Brings a matrix to the device."""


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """A linear step along columns, then along rows."""

    columns: Tensor
    rows: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        """(..., h, w) from (..., H, W)."""
        return self.columns @ images @ self.rows.T


class Continuation:
    """For pictures and maps of one size.

    Args:
        layout: of the pictures.
        height: of the small maps.
        width: of the small maps.
        place: brings constants to the device.
    """

    def __init__(self, layout: Layout, height: int, width: int, place: Place) -> None:
        def both(of_columns: Matrix, of_rows: Matrix) -> Both:
            return Both(place(of_columns), place(of_rows))

        def thumbnail(full: tuple[int, int]) -> tuple[int, Both]:
            step = thumbnail_step(full[1], width)
            taken = -(-full[0] // step), -(-full[1] // step)
            kind = cv2.INTER_AREA if height < taken[0] else cv2.INTER_LINEAR
            return step, both(_resized(taken[0], height, kind), _resized(taken[1], width, kind))

        self._luma = thumbnail((layout.height, layout.width))
        self._chroma = thumbnail((-(-layout.height // 2), -(-layout.width // 2)))
        few = fit(np.empty((height, width), np.float32), SMOOTH_SIZE_PX).shape
        kind, reach = cv2.INTER_AREA if few[0] < height else cv2.INTER_LINEAR, REACH_SHARE * max(few)
        self._blur = both(_blurred(height, few[0], kind, reach), _blurred(width, few[1], kind, reach))
        near = EVENNESS_SHARE * max(height, width)
        self._even = both(_softened(height, near), _softened(width, near))
        self._levels: list[tuple[Both, Both]] = []
        while min(height, width) > 2:
            below = -(-height // 2), -(-width // 2)
            down = both(_halved(height), _halved(width))
            up = [_resized(*sizes, cv2.INTER_LINEAR) for sizes in zip(below, (height, width), strict=True)]
            self._levels.append((down, both(up[0], up[1])))
            height, width = below

    def __call__(
        self,
        reference: Picture,
        saturating: tuple[float, float],
        neighbour: Picture,
        confidence: Tensor,
        curve: Tensor,
        levels: Levels,
        top: int,
    ) -> Tensor:
        """(3, h, w): luma and both colour differences of a picture.

        Args:
            reference: the over picture.
            saturating: its code values between which pixels saturate.
            neighbour: on its pixel grid.
            confidence: (h, w) where the neighbour is trusted.
            curve: for each luma code value of the reference that of the neighbour.
            levels: of the code values.
            top: largest code value.
        """
        low, high = saturating
        own = self._thumbnails(reference)
        saturated = ((own[0] - low) / (high - low)).clamp(0, 1)
        known = saturated * confidence
        say = (self._blur(known) / ENOUGH_KNOWN_SHARE).clamp_(max=1)
        mapped = self._mapped(own, saturated, curve, levels, top)
        miss = self._filled(self._thumbnails(neighbour) - mapped, known, 0)
        return (mapped + say * miss).clamp_(0, top)

    def _thumbnails(self, picture: Picture) -> Tensor:
        """(3, h, w) luma and both colour differences."""
        return torch.cat([_reduced(picture.luma[None], *self._luma), _reduced(picture.chroma, *self._chroma)])

    def _mapped(self, own: Tensor, saturated: Tensor, curve: Tensor, levels: Levels, top: int) -> Tensor:
        """(3, h, w) the mean of what is saturated around each pixel, at the neighbour's exposure."""
        around = self._even(torch.cat([saturated * own, saturated[None]]))
        even = (around[:3] + FAINT * own) / (around[3] + FAINT)
        middle = (top + 1) // 2
        chroma = _between(chroma_gains(curve, levels), even[0]) * (even[1:] - middle) + middle
        return torch.cat([_between(curve, even[0])[None], chroma])

    def _filled(self, values: Tensor, weight: Tensor, level: int) -> Tensor:
        """``fill_from_surroundings`` of (3, h, w)."""
        if level == len(self._levels):
            beneath = (weight * values).sum((1, 2), keepdim=True) / weight.sum().clamp(min=1e-9)
        else:
            down, up = self._levels[level]
            smaller = down(torch.cat([values * weight, weight[None]]))
            known = smaller[:3] / smaller[3].clamp(min=1e-6)
            beneath = up(self._filled(known, (4 * smaller[3]).clamp(max=1), level + 1))
        return beneath + weight * (values - beneath)


def _between(table: Tensor, codes: Tensor) -> Tensor:
    """The entries of a table for (h, w) code values with fractions."""
    lower = codes.floor()
    below, above = lookup(lower, table), lookup((lower + 1).clamp(max=table.numel() - 1), table)
    return below + (codes - lower) * (above - below)


def _reduced(planes: Tensor, step: int, reduce: Both) -> Tensor:
    return rounded(reduce(planes[:, ::step, ::step]))


def _resized(given: int, wanted: int, kind: int) -> Matrix:
    one: Any = np.eye(given, dtype=np.float32)
    return np.asarray(one if given == wanted else cv2.resize(one, (given, wanted), interpolation=kind), np.float32)


def _blurred(count: int, few: int, kind: int, deviation_px: float) -> Matrix:
    """Reduced to a few pixels, blurred by a deviation in those, and enlarged again."""
    reduced = _resized(count, few, kind)
    blurred = _softened(few, deviation_px) @ reduced
    return np.asarray(_resized(few, count, cv2.INTER_LINEAR) @ blurred, np.float32)


def _softened(count: int, deviation_px: float) -> Matrix:
    """Blurred by a deviation."""
    one: Any = np.eye(count, dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(one, (1, 0), sigmaX=deviation_px, sigmaY=deviation_px), np.float32)


def _halved(count: int) -> Matrix:
    """As cv2.pyrDown."""
    padded = np.pad(np.eye(count, dtype=np.float32), ((2, 2), (0, 0)), mode="reflect")
    taps = np.array([1, 4, 6, 4, 1], np.float32) / 16
    return np.asarray(sum(tap * padded[at : at + count : 2] for at, tap in enumerate(taps)), np.float32)
