from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture.deinterlace import deinterlaced
from tests.capture.clips import flat, write_clip


def interlaced(stream: VideoStream) -> None:
    stream.codec_context.flags |= 0x20040000  # interlaced DCT and motion estimation


def test_an_interlaced_stream_may_change_its_size(tmp_path: Path) -> None:
    def pictures() -> Iterator[VideoFrame]:
        for width in (64, 128):
            clip = tmp_path / f"{width}.mpg"
            write_clip(clip, flat([40, 80], width=width), codec="mpeg2video", prepare=interlaced)
            with av.open(str(clip)) as container:
                yield from container.decode(video=0)

    frames = list(deinterlaced(pictures()))
    assert [frame.width for frame in frames] == [64, 64, 128, 128]
