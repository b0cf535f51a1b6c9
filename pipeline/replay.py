"""Publishes a recorded video as if it were fused now: for trying out a subscriber."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import lumabraid
import numpy as np

from stages.frame import Frame, StreamInfo
from stages.stage import Source

_STATUS_INTERVAL_S: Final = 1.0
_PAUSE_S: Final = 0.1
"""Before the stream's last word: a subscriber whose queue is full of pictures would not get it."""


class Replay:
    """Reads a source and publishes each frame when its time comes."""

    def __init__(self, source: Source, publisher: lumabraid.Publisher, *, on_open: Callable[[], None]) -> None:
        """Connect them; the source is not open yet.

        Args:
            source: gives the frames.
            publisher: where they go.
            on_open: called once the source is open, before the first frame.
        """
        self.published = 0
        """Frames that had a reader."""
        self._source = source
        self._publisher = publisher
        self._on_open = on_open
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after the frame under way. Fit for a signal handler."""
        self._stopped.set()

    abort = stop

    def run(self) -> int:
        """Publish to the end; returns how many frames were read.

        Raises:
            SourceError: the source cannot be opened, or broke off.
        """
        try:
            info = self._source.open()
            self._on_open()
            topic = f"fused/{_encoding(info.bit_depth)}"
            frames = 0
            started_s = status_due_s = time.monotonic()
            first_pts: int | None = None
            while not self._stopped.is_set() and (frame := self._source.read()) is not None:
                first_pts = frame.pts if first_pts is None else first_pts
                due_s = started_s + float((frame.pts - first_pts) * frame.time_base)
                self._stopped.wait(max(due_s - time.monotonic(), 0))
                self.published += self._publish(frame)
                frames += 1
                if time.monotonic() >= status_due_s:
                    self._status(info, topic, frames)
                    status_due_s = time.monotonic() + _STATUS_INTERVAL_S
            time.sleep(_PAUSE_S)
            self._status(info, topic, frames, ended=True)
            return frames
        finally:
            self._source.close()

    def _publish(self, frame: Frame) -> bool:
        planes, color = frame.planes, frame.color
        header = lumabraid.Header(
            stream=self._publisher.stream,
            seq=0,
            index=frame.index,
            pts=frame.pts,
            time_base=(frame.time_base.numerator, frame.time_base.denominator),
            captured_ns=time.time_ns(),
            encoding=_encoding(planes.bit_depth),
            width=planes.width,
            height=planes.height,
            color=lumabraid.Color(
                matrix=color.matrix, range=color.range.value, primaries=color.primaries, transfer=color.transfer
            ),
        )
        parts = [np.ascontiguousarray(plane) for plane in (planes.luma, *planes.chroma)]
        return self._publisher.publish("fused", header, parts)

    def _status(self, info: StreamInfo, topic: str, frames: int, *, ended: bool = False) -> None:
        rate = info.frame_rate
        self._publisher.publish_status(
            topics=[topic],
            ended=ended,
            frame_rate=None if rate is None else (rate.numerator, rate.denominator),
            fused=frames,
        )


def _encoding(bit_depth: int) -> str:
    return "yuv420p" if bit_depth == 8 else "yuv420p10le"
