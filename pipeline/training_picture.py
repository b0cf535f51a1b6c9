"""Pictures that training leaves beside its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.output_file import write_output
from stages.fusion.training import Batch

Canvas = npt.NDArray[np.uint8]
"""(height, width, 3) BGR."""

_PAIRS_SHOWN: Final = 6
_GAP_PX: Final = 4
_HEAD_PX: Final = 28


def draw_validation(model: nn.Module, batches: Sequence[Batch], path: Path, *, device: torch.device) -> None:
    """Write a picture of the first validation pairs: under, over, and what the model makes of them, a pair a row."""
    model.eval()
    rows: list[Canvas] = []
    with torch.inference_mode():
        for batch in batches:
            under, over = batch.under.to(device), batch.over.to(device)
            fused = model(under, over, working_side=batch.working_side).cpu()
            stored = (torch.cat([batch.under, batch.over, fused], dim=1).clamp(0, 1) * 255).round().byte().numpy()
            rows += [_side_by_side(pictures) for pictures in stored]
            if len(rows) >= _PAIRS_SHOWN:
                break
    model.train()
    grid = np.vstack(rows[:_PAIRS_SHOWN])
    head = np.full((_HEAD_PX, *grid.shape[1:]), 255, np.uint8)
    for position, name in enumerate(("under", "over", "fused")):
        write_label(head, name, (position * grid.shape[1] // 3 + _GAP_PX, 20))
    write_png(path, np.vstack([head, grid]))


def write_label(canvas: Canvas, text: str, origin: tuple[int, int], color: tuple[int, int, int] = (0, 0, 0)) -> None:
    """Small plain text, its lower left corner at (x, y)."""
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)


def write_png(path: Path, picture: Canvas) -> None:
    """Write a picture of which a viewer never sees half.

    Raises:
        EncodeError: it cannot be written.
    """
    write_output(path, cv2.imencode(".png", picture)[1].tobytes())


def _side_by_side(lumas: npt.NDArray[np.uint8]) -> Canvas:
    """(n, H, W) grey pictures with white between and below them."""
    framed = [
        cv2.copyMakeBorder(luma, 0, _GAP_PX, 0, _GAP_PX, cv2.BORDER_CONSTANT, value=[255, 255, 255]) for luma in lumas
    ]
    return np.asarray(cv2.cvtColor(np.hstack(framed), cv2.COLOR_GRAY2BGR), np.uint8)
