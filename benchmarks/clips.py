"""A clip of alternating exposures without any file to start from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import BT709, FusedFrame, Planes, StreamInfo

TIME_BASE = Fraction(1, 12800)
FRAME_RATE = Fraction(25)


def write_bracketed_clip(path: Path, *, width: int, height: int, frames: int) -> None:
    """H.264, a texture that moves by two pixels a frame, three stops between odd and even frames."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-4, 1, (height // 32 + 2, width // 32 + 2))
    stops = np.kron(coarse, np.ones((32, 32)))[:height, :width] + rng.normal(0, 0.15, (height, width))
    encoder = VideoEncoder(VideoConfig(output=str(path), preset="ultrafast"))
    encoder.open(StreamInfo(width, height, 8, TIME_BASE, frame_rate=FRAME_RATE, frame_count=frames, color=BT709))
    pictures = []
    for exposure in (-0.5, 2.5):
        encoded = np.clip(2.0 ** (stops + exposure), 0, 1) ** (1 / 2.2)
        pictures.append(np.rint(16 + 219 * encoded).astype(np.uint8))
    chroma = np.full((2, height // 2, width // 2), 128, np.uint8)
    duration = int(1 / (FRAME_RATE * TIME_BASE))
    for index in range(frames):
        luma = np.ascontiguousarray(np.roll(pictures[index % 2], 2 * index, axis=1))
        frame = FusedFrame(
            index=index,
            planes=Planes(luma, chroma),
            pts=index * duration,
            time_base=TIME_BASE,
            duration=duration,
            color=BT709,
            sources=(index, index),
            ratio_stops=3.0,
            captured_ns=0,
            fused_ns=0,
        )
        for _ in encoder.process(frame):
            pass
    for _ in encoder.flush():
        pass
    encoder.close()
