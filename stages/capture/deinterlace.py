"""Makes whole pictures of interlaced ones: N in, N out, each at its own time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame


def deinterlaced(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames, whole; those that are not interlaced pass through untouched.

    The filter (estdif) looks at one picture alone. Filters that look at the pictures before and after, as bwdif and
    yadif do, would mix exposures.
    """
    weaver: _Weaver | None = None
    for frame in frames:
        if weaver is None and not frame.interlaced_frame:
            yield frame
            continue
        if weaver is None or weaver.layout != _layout(frame):
            if weaver is not None:
                yield from weaver.push(None)
            weaver = _Weaver(frame)
        yield from weaver.push(frame)
    if weaver is not None:
        yield from weaver.push(None)


def _layout(frame: VideoFrame) -> tuple[str, int, int]:
    """What a filter is made for."""
    return frame.format.name, frame.width, frame.height


class _Weaver:
    """The filter and the times of the pictures in it."""

    def __init__(self, frame: VideoFrame) -> None:
        self.layout = _layout(frame)
        self._times: deque[tuple[int | None, int]] = deque()
        self._fed = 0
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1)
        )
        # Without deint=interlaced, progressive pictures in a mixed stream would lose detail.
        whole = self._graph.add("estdif", "mode=frame:deint=interlaced")
        self._graph.link_nodes(source, whole, self._graph.add("buffersink")).configure()

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        if frame is not None:
            self._times.append((frame.pts, frame.duration))
            # The filter needs times; the stream's own may be missing.
            frame.pts, frame.time_base = self._fed, Fraction(1, 1)
            self._fed += 1
        self._graph.vpush(frame)
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                whole = self._graph.vpull()
                whole.pts, whole.duration = self._times.popleft()
                yield whole
