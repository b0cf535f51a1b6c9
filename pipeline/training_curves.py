"""Learning curves: the columns of a training's log as a picture."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.training_picture import Canvas, write_label, write_png

_WIDTH, _HEIGHT = 900, 330
"""Pixels of a panel."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 60, 40
_COLORS: Final = ((40, 40, 40), (180, 119, 31), (14, 127, 255), (44, 160, 44), (189, 103, 148), (207, 190, 23))
"""BGR, apart from each other for most eyes."""
_GREY: Final = (200, 200, 200)
_LEAST_LOSS: Final = 1e-5
_TICKS: Final = 5

Points = npt.NDArray[np.float64]
"""(n, 2): step, value."""


def draw_curves(log: Path, picture: Path) -> None:
    """Draw the losses, smoothed, on a logarithmic scale, and below them MEF-SSIM on the validation pairs.

    Args:
        log: ``log.csv`` with a row at least.
        picture: PNG to write.
    """
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in ("step", "validation")]
    losses = {name: _logarithmic(_smoothed(_points(rows, name))) for name in columns}
    validation = {"of the averaged weights": _points(rows, "validation")}
    upper = _panel("loss and its parts", losses, len(rows), lambda value: f"{10**value:.2g}")
    lower = _panel("MEF-SSIM of held-out pairs", validation, len(rows), lambda value: f"{value:.4f}")
    write_png(picture, np.vstack([upper, lower]))


def _points(rows: Sequence[Mapping[str, str]], column: str) -> Points:
    """Where the column says something."""
    return np.array([(float(row["step"]), float(row[column])) for row in rows if row[column]]).reshape(-1, 2)


def _smoothed(points: Points) -> Points:
    """Means over a fiftieth of the steps: one batch is easier than another."""
    width = max(1, len(points) // 50)
    kept = points[: len(points) // width * width]
    return np.asarray(kept.reshape(-1, width, 2).mean(axis=1))


def _logarithmic(points: Points) -> Points:
    return np.column_stack([points[:, 0], np.log10(np.maximum(points[:, 1], _LEAST_LOSS))])


def _panel(title: str, curves: Mapping[str, Points], last_step: int, name_value: Callable[[float], str]) -> Canvas:
    """One diagram, white, with its title, axes, curves and their names."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    values = np.concatenate([points[:, 1] for points in curves.values()])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    margin = max(0.05 * (high - low), 1e-4)
    low, high = low - margin, high + margin

    def place(points: Points) -> npt.NDArray[np.int32]:
        across = _LEFT + points[:, 0] / max(last_step, 1) * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (high - points[:, 1]) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return np.rint(np.column_stack([across, down])).astype(np.int32)

    for share in np.linspace(0, 1, _TICKS):
        step, value = round(share * last_step), low + share * (high - low)
        [[x, y]] = place(np.array([[step, value]]))
        cv2.line(canvas, (_LEFT, int(y)), (_WIDTH - _RIGHT, int(y)), _GREY)
        write_label(canvas, name_value(value), (8, int(y) + 5))
        write_label(canvas, str(step), (int(x) - 16, _HEIGHT - 14))
    write_label(canvas, title, (_LEFT, 22))
    for position, ((name, points), color) in enumerate(zip(curves.items(), _COLORS, strict=False)):
        write_label(canvas, name, (_LEFT + 110 * position, 46), color)
        placed = place(points)
        cv2.polylines(canvas, [placed], isClosed=False, color=color, thickness=2, lineType=cv2.LINE_AA)
        if len(placed) == 1:
            cv2.circle(canvas, (int(placed[0][0]), int(placed[0][1])), 3, color, cv2.FILLED)
    return canvas
