"""Frames moved along a displacement field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.alignment.camera import Flow
from stages.alignment.crew import Crew
from stages.alignment.resampling import enlarge
from stages.alignment.shifting import shift_rows
from stages.frame import Planes


def warp_planes(frames: Sequence[Planes], flow: Flow, crew: Crew) -> list[Planes]:
    """Frames of one size and depth, all along the same flow; the same objects when nothing moves.

    Args:
        frames: at full size.
        flow: (h, w, 2), for each pixel of the reference where to look in the frames, in pixels of the flow's size,
            which is the frames' or smaller.
        crew: does it.
    """
    if not flow.any():
        return list(frames)
    first = frames[0]
    scale = first.width / flow.shape[1]
    across, down = (crew.scratch(f"displacement {axis}", first.luma.shape, np.float32) for axis in "xy")
    crew.both(lambda: enlarge(flow[..., 0].copy(), across), lambda: enlarge(flow[..., 1].copy(), down))
    luma = tuple(np.empty_like(first.luma) for _ in frames)
    chroma = [np.empty_like(first.chroma) for _ in frames]
    sources: tuple[Any, ...] = tuple(np.ascontiguousarray(frame.luma) for frame in frames)
    colors: tuple[Any, ...] = tuple(np.ascontiguousarray(plane) for frame in frames for plane in frame.chroma)
    moved_colors = tuple(plane for planes in chroma for plane in planes)

    def shift_luma(start: int, end: int) -> None:
        # Cubic keeps the sharpness that every fractional shift by linear interpolation takes.
        shift_rows(sources, across, down, scale, luma, first.max_value, True, start, end)

    def shift_chroma(start: int, end: int) -> None:
        every_second = across[::2, ::2], down[::2, ::2]
        shift_rows(colors, *every_second, scale / 2, moved_colors, first.max_value, False, start, end)

    crew.rows(first.luma.shape, shift_luma)
    crew.rows(first.chroma.shape[1:], shift_chroma)
    return [Planes(*planes, first.bit_depth) for planes in zip(luma, chroma, strict=True)]
