"""What ``lumabraid demo`` shows beside the fused video."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.demo import compare
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import BT709, FusedFrame, Planes, StreamInfo

UNDER, OVER, FUSED = 40, 200, 110
COUNT = 8


def write(path: Path, levels: list[int]) -> Path:
    """A clip of flat grey frames, 64 x 48."""
    time_base = Fraction(1, 25)
    encoder = VideoEncoder(VideoConfig(output=str(path), codec="ffv1"))
    encoder.open(StreamInfo(64, 48, 8, time_base, frame_rate=Fraction(25), color=BT709))
    for index, level in enumerate(levels):
        planes = Planes(np.full((48, 64), level, np.uint8), np.full((2, 24, 32), 128, np.uint8))
        frame = FusedFrame(index, planes, index, time_base, 1, BT709, (index, index), 3.0, 0, 0)
        assert len(list(encoder.process(frame))) == 1
    list(encoder.flush())
    encoder.close()
    return path


@pytest.mark.parametrize("first", [UNDER, OVER])
def test_under_over_and_fused_stand_side_by_side(tmp_path: Path, first: int) -> None:
    second = UNDER + OVER - first
    clip = write(tmp_path / "clip.mkv", [first, second] * (COUNT // 2))
    fused = write(tmp_path / "fused.mkv", [FUSED] * COUNT)
    video, sheet = tmp_path / "side-by-side.mp4", tmp_path / "sheet.png"
    compare(clip, fused, video, sheet)
    with av.open(str(video)) as container:
        pictures = [frame.to_ndarray(format="yuv420p")[:48] for frame in container.decode(video=0)]
    assert len(pictures) == COUNT
    for picture in pictures:
        assert picture.shape[1] == 3 * 64
        levels = [picture[:, panel * 64 + 8 : panel * 64 + 56].mean() for panel in range(3)]
        assert levels == pytest.approx([UNDER, OVER, FUSED], abs=2)
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[0] > 4 * 48
    assert picture.shape[1] > 3 * 64


def test_the_packaged_clip_is_small_and_says_where_it_is_from() -> None:
    folder = files("configs") / "demo"
    assert len((folder / "demo.mp4").read_bytes()) < 3_000_000
    assert "CC0" in (folder / "SOURCE.md").read_text()
