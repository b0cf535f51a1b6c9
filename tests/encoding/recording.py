"""Frames to record, and what came of them."""

import time
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np

from stages.encoding.segments import SegmentConfig, SegmentRecorder
from stages.frame import BT709, FusedFrame, Planes

START_NS = 1_795_363_212_345_678_900  # 2026-11-22 16:00:12.345678900 UTC
PATIENCE_S = 20.0
RATE = 25


def gray_frames(count, *, size=(64, 48), bit_depth=8, start=0, rate=RATE, color=BT709):
    """Frames 0, 1, ..., each told by its brightness, a tick of 1/1000 s apart at 1000 / rate ticks."""
    width, height = size
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    for index in range(start, start + count):
        luma = np.full((height, width), (20 + index) << (bit_depth - 8), dtype)
        chroma = np.full((2, -(-height // 2), -(-width // 2)), 1 << (bit_depth - 1), dtype)
        step = 1000 // rate
        yield FusedFrame(
            index=index,
            planes=Planes(luma, chroma, bit_depth),
            pts=5000 + index * step,
            time_base=Fraction(1, 1000),
            duration=step,
            color=color,
            sources=(index, index),
            ratio_stops=3.0,
            captured_ns=START_NS + index * step * 1_000_000,
            fused_ns=0,
        )


@contextmanager
def recorder(folder, info, **settings):
    """A SegmentRecorder that is open during the block."""
    opened = SegmentRecorder(SegmentConfig(folder=str(folder), **{"min_free_mb": 0, **settings}))
    try:
        opened.open(info)
        yield opened
    finally:
        opened.close()


def decode(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def indices(path):
    """Which gray frames a file holds."""
    found = []
    for frame in decode(path):
        dtype, shift = (np.uint16, 2) if "10" in frame.format.name else (np.uint8, 0)
        found.append((int(np.frombuffer(memoryview(frame.planes[0]), dtype)[0]) >> shift) - 20)
    return found


def playable_indices(path):
    """The same of a file that breaks off."""
    try:
        return indices(path)
    except av.FFmpegError:  # nothing but a header, or not even that
        return []


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
