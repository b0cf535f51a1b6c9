"""Frames moved along a displacement field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.alignment.blend import lay_over
from stages.alignment.camera import Flow
from stages.alignment.crew import Crew
from stages.alignment.enlarging import Weight, widen, widened_weights
from stages.alignment.shifting import shift_rows
from stages.frame import Planes

FloatArray = npt.NDArray[np.float32]

_NOTHING = np.empty((0, 0), np.uint8)


def warp_planes(
    frames: Sequence[Planes], flow: Flow, crew: Crew, *, lent: int = 0, displacements: Displacements | None = None
) -> list[Planes]:
    """Frames of one size and depth, all along the same flow; the same objects when nothing moves.

    Args:
        frames: at full size.
        flow: (h, w, 2), for each pixel of the reference where to look in the frames, in pixels of the flow's size,
            which is the frames' or smaller.
        crew: does it.
        lent: so many of the last are valid until the next are asked for: fresh memory costs more than filling it.
        displacements: the flow, where it is widened already.
    """
    if not flow.any():
        return list(frames)
    kept = len(frames) - lent
    moved = [Planes(np.empty_like(frame.luma), np.empty_like(frame.chroma), frame.bit_depth) for frame in frames[:kept]]
    for number, frame in enumerate(frames[kept:]):
        luma = crew.scratch(f"moved luma {number}", frame.luma.shape, frame.luma.dtype)
        chroma = crew.scratch(f"moved chroma {number}", frame.chroma.shape, frame.chroma.dtype)
        moved.append(Planes(luma, chroma, frame.bit_depth))
    _shift(frames, displacements or widen_flow(flow, frames[0], crew), moved, (_NOTHING, _NOTHING), crew)
    return moved


def lay_warped_over(picture: Planes, frame: Planes, flow: Flow, weight: npt.NDArray[np.float32], crew: Crew) -> None:
    """Keeps of a picture what the weight says and lays a frame, moved along a flow, over it by the rest.

    Args:
        picture: written to.
        frame: of the same size and depth.
        flow: as ``warp_planes`` takes it.
        weight: (h, w) in [0, 1], any size with the picture's aspect.
        crew: does it.
    """
    if not flow.any():
        lay_over(picture, frame, weight, crew)
        return
    displacements, kept = crew.both(
        lambda: widen_flow(flow, frame, crew), lambda: widened_weights(weight, picture, crew)
    )
    _shift([frame], displacements, [picture], kept, crew)


@dataclass(frozen=True, slots=True, eq=False)
class Displacements:
    """A flow at the columns of a picture's luma and of its chroma, (h, width); valid until the next flow is widened."""

    across: FloatArray
    down: FloatArray
    half_across: FloatArray
    half_down: FloatArray
    scale: float
    """Pixels at full size for one of the flow."""


def widen_flow(flow: Flow, picture: Planes, crew: Crew) -> Displacements:
    """A flow (h, w, 2) enlarged along its rows to the widths of a picture."""
    (across, half_across), (down, half_down) = crew.both(
        lambda: _widened(flow, 0, picture, crew), lambda: _widened(flow, 1, picture, crew)
    )
    return Displacements(across, down, half_across, half_down, picture.width / flow.shape[1])


def _shift(
    frames: Sequence[Planes],
    displacements: Displacements,
    targets: Sequence[Planes],
    kept: tuple[Weight, Weight],
    crew: Crew,
) -> None:
    """Moves frames into targets, which keep of themselves what the weights of luma and of chroma say."""
    first, at, scale = frames[0], displacements, displacements.scale
    height, top = first.height, first.max_value
    # Numba takes a tuple apart only where all in it are of one type: rows without gaps, writable.
    luma: tuple[Any, ...] = tuple(np.require(frame.luma, requirements=["C", "W"]) for frame in frames)
    planes = [plane for frame in frames for plane in frame.chroma]
    chroma: tuple[Any, ...] = tuple(np.require(plane, requirements=["C", "W"]) for plane in planes)
    luma_targets = tuple(target.luma for target in targets)
    chroma_targets = tuple(plane for target in targets for plane in target.chroma)

    def shift_luma(start: int, end: int) -> None:
        # Cubic keeps the sharpness that every fractional shift by linear interpolation takes.
        shift_rows(luma, at.across, at.down, scale, 1, height, luma_targets, kept[0], top, True, start, end)

    def shift_chroma(start: int, end: int) -> None:
        across, down = at.half_across, at.half_down
        shift_rows(chroma, across, down, scale / 2, 2, height, chroma_targets, kept[1], top, False, start, end)

    crew.rows((first.luma.shape, shift_luma), (first.chroma.shape[1:], shift_chroma))


def _widened(flow: Flow, axis: int, picture: Planes, crew: Crew) -> tuple[FloatArray, FloatArray]:
    """One axis of a flow, at the columns of luma and of chroma."""
    wide = widen(flow[..., axis].copy(), f"displacement {axis}", picture.width, crew)
    half = crew.scratch(f"half displacement {axis}", (wide.shape[0], picture.chroma.shape[2]), np.float32)
    np.copyto(half, wide[:, ::2])
    return wide, half
