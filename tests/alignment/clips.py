"""Clips in which everything happens that alignment answers: a moving camera, things that move and saturate, tremor."""

from __future__ import annotations

import numpy as np

from stages.alignment.flow import FlowAlignment
from stages.frame import AlignedPair, ExposurePair, Planes
from tests.alignment.scenes import Radiance, frame, photograph, textured_radiance, window

STOPS = 3.0
PAN_PX = 9.0
"""From frame to frame."""


def moving_clip(height: int, width: int, count: int, *, bit_depth: int = 8) -> list[Planes]:
    """Frames of alternating exposure, even ones under; in the last four nothing moves."""
    canvas = textured_radiance(height + 128, width + 128, seed=3)
    tremor = np.random.default_rng(5).normal(0, 0.1, count)
    frames = []
    for index in range(count):
        step = min(index, count - 4)
        scene = window(canvas, height, width, dx=2.3 * step - 6, dy=0.7 * step).copy()
        left = (width // 8 + 5 * step) % max(1, width - width // 6)
        scene[height // 4 : height // 2, left : left + width // 6] = 0.004 if index % 3 else 0.3
        scene[height // 2 : height // 2 + height // 5, width // 2 : width // 2 + width // 5] = 9.0
        stops = STOPS * (index % 2) + tremor[index]
        frames.append(photograph(scene, stops=stops, noise=0.01, seed=index, bit_depth=bit_depth))
    return frames


def pairs_of(pictures: list[Planes]) -> list[ExposurePair]:
    """As pairing makes them: the first frame with its successor, each later one with its predecessor."""
    frames = [frame(planes, index=index) for index, planes in enumerate(pictures)]
    return [
        ExposurePair(each, frames[index - 1 if index else 1], index % 2 == 0, STOPS)
        for index, each in enumerate(frames)
    ]


def aligned_by(stage: FlowAlignment, pairs: list[ExposurePair]) -> list[AlignedPair]:
    items = [item for each in pairs for item in stage.process(each)] + list(stage.flush())
    return [item for item in items if isinstance(item, AlignedPair)]


def panned(height: int, width: int, instant: float) -> Radiance:
    """What a camera that pans sees at an instant, in frames: windows in a wall, a post before each."""
    canvas = textured_radiance(height + 64, width + 256, seed=4)
    top, bottom = 32 + height // 6, 32 + 3 * height // 4
    for left in range(40, canvas.shape[1], 70):
        canvas[top:bottom, left : left + 24] = 3
        canvas[top:bottom, left + 10 : left + 15] = 0.01
    return window(canvas, height, width, dx=PAN_PX * instant - 20, dy=0)


def panning_frame(height: int, width: int, index: int, *, open_share: float, bit_depth: int = 8) -> Planes:
    """A frame of that: even ones under and sharp, odd ones over, the shutter open for a share of the time."""
    if index % 2 == 0:
        return photograph(panned(height, width, index), stops=0, noise=0.005, seed=index, bit_depth=bit_depth)
    instants = index + ((np.arange(15) + 0.5) / 15 - 0.5) * open_share
    smeared = np.mean([panned(height, width, float(each)) for each in instants], axis=0, dtype=np.float32)
    return photograph(smeared, stops=STOPS, noise=0.005, seed=index, bit_depth=bit_depth)


def panning_clip(height: int, width: int, count: int, *, open_share: float, bit_depth: int = 8) -> list[Planes]:
    """So many of them."""
    return [panning_frame(height, width, each, open_share=open_share, bit_depth=bit_depth) for each in range(count)]
