"""Pictures as GPUs give them: NV12 and P010."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from av.filter import Graph
from av.video.frame import VideoFrame

from stages.capture.deinterlace import deinterlaced
from stages.capture.planes import PlaneReader
from tests.capture.clips import noise, semi_planar, to_frame


def interlaced(frame: VideoFrame) -> VideoFrame:
    """The same, said to be two fields."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25), name="source"
    )
    graph.link_nodes(source, graph.add("setfield", "tff"), graph.add("buffersink")).configure()
    frame.pts = 0
    graph.vpush(frame)
    return graph.vpull()


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (2, 2)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_what_a_gpu_gives_becomes_planar_bit_by_bit(pixel_format: str, size: tuple[int, int]) -> None:
    picture = noise(1, pixel_format=pixel_format, width=size[0], height=size[1])[0]
    frame = semi_planar(to_frame(picture, pixel_format))
    planes = PlaneReader(frame).read(frame)
    assert planes.bit_depth == (8 if pixel_format == "yuv420p" else 10)
    assert np.array_equal(planes.luma, picture[0])
    assert np.array_equal(planes.chroma, picture[1:])


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_interlaced_pictures_of_a_gpu_are_made_whole_as_any_others(pixel_format: str) -> None:
    pictures = [to_frame(picture, pixel_format) for picture in noise(3, pixel_format=pixel_format)]
    expected = [PlaneReader(whole).read(whole) for whole in deinterlaced(map(interlaced, pictures))]
    got = [PlaneReader(whole).read(whole) for whole in deinterlaced(map(interlaced, map(semi_planar, pictures)))]
    assert not np.array_equal(got[0].luma, PlaneReader(pictures[0]).read(pictures[0]).luma)
    for planes, other in zip(got, expected, strict=True):
        assert np.array_equal(planes.luma, other.luma)
        assert np.array_equal(planes.chroma, other.chroma)
