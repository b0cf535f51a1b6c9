"""What ``lumabraid demo`` shows: the clip's exposures and the fused result side by side, as a video and as a sheet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stages.capture.file import FileConfig, FileSource
from stages.color import bgr_from_planes
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import Frame, FusedFrame, PixelArray, Planes, StreamInfo

_SHEET_ROWS = 4
_LABELS = ("under", "over", "fused")
_LABEL_HEIGHT = 34
_GAP = 4


@dataclass(frozen=True, slots=True)
class _Moment:
    """One time of the clip: the frame of each exposure nearest to it, and the fused one."""

    under: Planes
    over: Planes
    fused: Frame

    @property
    def panels(self) -> tuple[Planes, Planes, Planes]:
        """Left to right."""
        return self.under, self.over, self.fused.planes


def compare(clip: Path, fused: Path, video: Path, sheet: Path) -> None:
    """Write the comparison of a bracketed clip with its fused video.

    Args:
        clip: the input, frames of both exposures alternating.
        fused: what was made of it, as many frames.
        video: written; under, over and fused side by side.
        sheet: written, PNG; a few moments below each other.

    Raises:
        SourceError: a clip cannot be read.
        EncodeError: the video or the sheet cannot be written.
    """
    info, moments = _moments(clip, fused)
    encoder = VideoEncoder(VideoConfig(output=str(video)))
    rows = []
    count = info.frame_count or _SHEET_ROWS
    wanted = {round((row + 0.5) * count / _SHEET_ROWS) for row in range(_SHEET_ROWS)}
    with closing(encoder):
        encoder.open(dataclasses.replace(info, width=info.width * len(_LABELS)))
        for moment in moments:
            frame = moment.fused
            for _ in encoder.process(
                FusedFrame(
                    index=frame.index,
                    planes=_side_by_side(moment.panels),
                    pts=frame.pts,
                    time_base=frame.time_base,
                    duration=frame.duration,
                    color=frame.color,
                    sources=(frame.index, frame.index),
                    ratio_stops=None,
                    captured_ns=frame.captured_ns,
                    fused_ns=frame.captured_ns,
                )
            ):
                pass
            if frame.index in wanted:
                rows.append(_sheet_row(moment))
        for _ in encoder.flush():
            pass
    _write_png(sheet, np.concatenate([_header(rows[0].shape[1]), *rows]))


def _moments(clip: Path, fused: Path) -> tuple[StreamInfo, Iterator[_Moment]]:
    """Both streams in step."""
    captured, result = (FileSource(FileConfig(input=str(path))) for path in (clip, fused))
    captured.open()
    info = result.open()

    def walk() -> Iterator[_Moment]:
        with closing(captured), closing(result):
            previous, current = None, captured.read()
            while current is not None and (finished := result.read()) is not None:
                following = captured.read()
                neighbour = previous or following or current
                under, over = sorted((current.planes, neighbour.planes), key=lambda planes: float(planes.luma.mean()))
                yield _Moment(under, over, finished)
                previous, current = current, following

    return info, walk()


def _side_by_side(panels: tuple[Planes, ...]) -> Planes:
    return Planes(
        np.concatenate([panel.luma for panel in panels], axis=-1),
        np.concatenate([panel.chroma for panel in panels], axis=-1),
        panels[0].bit_depth,
    )


def _sheet_row(moment: _Moment) -> PixelArray:
    """(height, width, 3) BGR, 8 bit, with a gap below."""
    gap = np.ones((moment.under.height, _GAP, 3), np.float32)
    pictures = [bgr_from_planes(panel, moment.fused.color) for panel in moment.panels]
    row = np.concatenate([pictures[0], gap, pictures[1], gap, pictures[2]], axis=1)
    row = np.concatenate([row, np.ones((_GAP, row.shape[1], 3), np.float32)])
    scaled: npt.NDArray[np.float32] = np.rint(row * 255)
    return scaled.astype(np.uint8)


def _header(width: int) -> PixelArray:
    """A white strip with the panels' names."""
    strip = np.full((_LABEL_HEIGHT, width, 3), 255, np.uint8)
    font = cv2.FontFace("sans")
    for column, label in enumerate(_LABELS):
        cv2.putText(strip, label, (column * width // len(_LABELS) + 8, _LABEL_HEIGHT - 10), (40, 40, 40), font, 20, 400)
    return strip


def _write_png(path: Path, picture: PixelArray) -> None:
    packed = cv2.imencode(".png", picture)[1]
    path.write_bytes(packed.tobytes())
