"""What the benchmark fuses: a few frames of the simulated camera, shown forward and backward without end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipeline.bench.sizes import Size
from stages.capture.simulated import SimulatedConfig, SimulatedSource
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import ExposurePair, Frame, FusedFrame, StreamInfo

_FRAMES: Final = 12
"""Rendered ones."""
_FRAME_RATE: Final = 25.0
_MAP_HEIGHT: Final = 1024
_PATCH_PX: Final = 32
_CLIP_PRESET: Final = "veryfast"


@dataclass(frozen=True, slots=True)
class Film:
    """Frames of alternating exposure, the first of them under."""

    frames: Sequence[Frame]
    info: StreamInfo
    stops: float
    """Between the exposures."""

    def frame(self, index: int) -> Frame:
        """Any, from 0; after the last frame the film runs backward, and so on, always in small steps."""
        last = len(self.frames) - 1
        position = index % (2 * last)
        shown = self.frames[min(position, 2 * last - position)]
        return dataclasses.replace(shown, index=index, pts=index)

    def pair(self, index: int) -> ExposurePair:
        """The frame of this index, at least 1, with the one before it."""
        reference = self.frame(index)
        return ExposurePair(reference, self.frame(index - 1), reference_is_under=index % 2 == 0, ratio_stops=self.stops)


def write_map(path: Path) -> None:
    """A radiance map of patches ten stops apart with texture on each, the same every time."""
    rng = np.random.default_rng(0)
    patches = (_MAP_HEIGHT // _PATCH_PX, 2 * _MAP_HEIGHT // _PATCH_PX)
    stops = rng.uniform(-6, 4, (*patches, 1)) + rng.normal(0, 0.3, (*patches, 3))
    detail = rng.normal(0, 0.4, (_MAP_HEIGHT, 2 * _MAP_HEIGHT, 1))
    cv2.imwrite(str(path), np.exp2(np.kron(stops, np.ones((_PATCH_PX, _PATCH_PX, 1))) + detail).astype(np.float32))


def shoot(radiance_map: Path, size: Size) -> Film:
    """Film a map with the simulated camera's own motion, noise and moving object.

    Raises:
        SourceError: it is no radiance map.
    """
    config = SimulatedConfig(
        map=str(radiance_map),
        width=size.width,
        height=size.height,
        frame_rate=_FRAME_RATE,
        seconds=_FRAMES / _FRAME_RATE,
    )
    with closing(SimulatedSource(config)) as source:
        info = source.open()
        frames = [frame for _ in range(_FRAMES) if (frame := source.read()) is not None]
    return Film(frames, info, config.stops)


def as_fused(frame: Frame, index: int) -> FusedFrame:
    """A captured frame as an encoder takes it."""
    return FusedFrame(
        index=index,
        planes=frame.planes,
        pts=frame.pts,
        time_base=frame.time_base,
        duration=frame.duration,
        color=frame.color,
        sources=(index, index),
        ratio_stops=None,
        captured_ns=frame.captured_ns,
        fused_ns=frame.captured_ns,
    )


def write_clip(film: Film, path: Path, *, frames: int) -> None:
    """The film's first frames as H.264."""
    with closing(VideoEncoder(VideoConfig(output=str(path), preset=_CLIP_PRESET))) as encoder:
        encoder.open(dataclasses.replace(film.info, frame_count=frames))
        for index in range(frames):
            fused = as_fused(film.frame(index), index)
            list(encoder.process(fused))
        list(encoder.flush())
