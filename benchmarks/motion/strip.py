"""A picture strip for the eye: one row a method, frames side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_COLUMNS = 4
_CAPTION_PX = 14


def write_strip(path: Path, rows: Mapping[str, Sequence[FloatArray]]) -> None:
    """Write a PNG of successive frames from the middle of a clip, so that one sees even beside odd.

    Args:
        path: of the PNG.
        rows: luma pictures (h, w) of 0 to 255 by caption.
    """
    drawn = []
    for caption, pictures in rows.items():
        middle = max(0, len(pictures) // 2 - _COLUMNS // 2)
        row = np.hstack([np.rint(np.clip(picture, 0, 255)) for picture in pictures[middle : middle + _COLUMNS]])
        title = np.zeros((_CAPTION_PX, row.shape[1]), np.uint8)
        cv2.putText(title, caption, (2, _CAPTION_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1, cv2.LINE_AA)
        drawn += [title, row.astype(np.uint8)]
    cv2.imwrite(str(path), np.vstack(drawn))
