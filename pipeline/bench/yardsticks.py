"""What a user would write instead of lumabraid, with OpenCV."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.bench.film import Film
from pipeline.bench.timing import Contender
from stages.color import bgr_from_planes
from stages.errors import LumabraidError
from stages.frame import Planes

Bgr = npt.NDArray[np.uint8]

_PAIRS: Final = 4


def merging(film: Film, *, frames: int) -> Contender:
    """MergeMertens alone: 8-bit BGR pictures ready made, and its result stays the float picture it gives.

    Args:
        film: what is fused.
        frames: in one run.
    """
    merge, pairs = cv2.createMergeMertens(), itertools.cycle(_pairs(film))

    def run() -> int:
        for _ in range(frames):
            merge.process(next(pairs))
        return frames

    return Contender(run, warm_up=lambda: merge.process(next(pairs)))


def aligning_and_merging(film: Film, *, frames: int) -> Contender:
    """AlignMTB, then MergeMertens, on pictures ready made.

    Args:
        film: what is fused.
        frames: in one run.
    """
    align, merge, pairs = cv2.createAlignMTB(), cv2.createMergeMertens(), itertools.cycle(_pairs(film))

    def run() -> int:
        for neighbour, reference in itertools.islice(pairs, frames):
            pair = [neighbour.copy(), reference]
            align.process(pair, pair)  # moves the first of two, in place
            merge.process(pair)
        return frames

    return Contender(run)


def run_script(clip: Path, output: Path) -> int:
    """The whole job in a few lines; returns the number of frames fused.

    OpenCV's wheel holds no H.264 encoder: MPEG-4 Part 2, which takes less computing, is what such a script writes.
    """
    capture = cv2.VideoCapture(str(clip))
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(str(output), cv2.VideoWriter.fourcc(*"mp4v"), capture.get(cv2.CAP_PROP_FPS), size)
    if not (capture.isOpened() and writer.isOpened()):
        raise LumabraidError(f"OpenCV cannot read {clip.name} or write {output.name}: leave the task `job` out")
    align, merge = cv2.createAlignMTB(), cv2.createMergeMertens()
    previous, fused = None, 0
    while True:
        read, picture = capture.read()
        if not read:
            break
        if previous is not None:
            pair = [previous, picture]
            align.process(pair, pair)
            writer.write(np.clip(merge.process(pair) * 255, 0, 255).astype(np.uint8))
            fused += 1
        previous = picture
    capture.release()
    writer.release()
    return fused


def _pairs(film: Film) -> list[list[Bgr]]:
    """Neighbour and reference of a few successive frames."""
    pairs = (film.pair(index) for index in range(1, _PAIRS + 1))
    return [[_bgr(frame.planes, film) for frame in (pair.neighbour, pair.reference)] for pair in pairs]


def _bgr(planes: Planes, film: Film) -> Bgr:
    return np.rint(bgr_from_planes(planes, film.info.color) * 255).astype(np.uint8)
