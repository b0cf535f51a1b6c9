"""What a live source does that no file does: it changes its format, and is away for a while."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.frame import ColorRange, ColorTags, Planes


def cropped(planes):
    return Planes(planes.luma[:, :120].copy(), planes.chroma[:, :, :60].copy(), planes.bit_depth)


def deeper(planes):
    return Planes(planes.luma.astype(np.uint16) * 4, planes.chroma.astype(np.uint16) * 4, 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: dataclasses.replace(frame, planes=cropped(frame.planes)),
        lambda frame: dataclasses.replace(frame, planes=deeper(frame.planes)),
        lambda frame: dataclasses.replace(frame, color=ColorTags(range=ColorRange.LIMITED)),
    ],
    ids=["size", "bit depth", "colour"],
)
@pytest.mark.parametrize("at", [3, 8, 9])
def test_no_pair_mixes_two_formats(film, pair, change, at):
    frames = film("UOUOUOUOUOUOUOUO")
    outputs = pair([*frames[:at], *map(change, frames[at:])])
    for output in outputs:
        assert (output.index < at) == (output.neighbour.index < at)


@pytest.mark.parametrize("metadata", [False, True])
def test_no_pair_reaches_across_an_outage(film, pair, metadata):
    frames = film("UOUOUOUOUOUOUOUO", metadata=metadata)
    outputs = pair([*frames[:8], *(dataclasses.replace(frame, index=frame.index + 50) for frame in frames[8:])])
    for output in outputs:
        assert (output.index < 8) == (output.neighbour.index < 8)
