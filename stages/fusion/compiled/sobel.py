"""Sobel's operator on a row of a picture."""

from __future__ import annotations

import numpy as np

from stages.compiling import part
from stages.fusion.compiled.rows import Floats, Source


@part
def gradient_row(
    above: Source,
    here: Source,
    below: Source,
    unit: np.float32,
    clip: tuple[np.float32, np.float32],
    room: Floats,
    across: Floats,
    down: Floats,
) -> None:
    """The gradient of a row, whose border goes on beyond it.

    Args:
        above: (W,) code values.
        here: the row itself.
        below: the next one.
        unit: of luma in a code value; the operator's own eighth is taken here.
        clip: code values beyond which the picture is clipped.
        room: (2, W + 2).
        across: (W + 2, or more), filled from 1.
        down: the same.
    """
    width = here.size
    smooth, steps = room[0], room[1]
    low, high = clip
    for x in range(width):
        upper, lower = min(max(np.float32(above[x]), low), high), min(max(np.float32(below[x]), low), high)
        smooth[x + 1] = upper + np.float32(2) * min(max(np.float32(here[x]), low), high) + lower
        steps[x + 1] = lower - upper
    for row in range(2):
        room[row, 0] = room[row, 1]
        room[row, width + 1] = room[row, width]
    scale = unit * np.float32(0.125)
    for x in range(1, width + 1):
        across[x] = (smooth[x + 1] - smooth[x - 1]) * scale
    for x in range(1, width + 1):
        down[x] = (steps[x - 1] + np.float32(2) * steps[x] + steps[x + 1]) * scale
