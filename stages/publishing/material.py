"""What one fused frame can be published as."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal, get_args

from av.video.reformatter import VideoReformatter

from stages.frame import FusedFrame
from stages.publishing.buffers import BufferRing
from stages.publishing.confidence import ConfidenceMap
from stages.publishing.picture import Picture

PictureName = Literal["fused", "under", "over"]
PICTURES: Final[tuple[PictureName, ...]] = get_args(PictureName)
"""The fused picture, and the aligned exposures it was made of."""
CONFIDENCE: Final = "confidence"
"""Where the neighbour was trusted, as a picture."""


class Workspace:
    """What is used again from frame to frame; of one sender's thread."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()
        self.rings: Mapping[str, BufferRing] = {name: BufferRing() for name in (*PICTURES, CONFIDENCE)}
        """By what the buffers hold: all in a ring are of one size, and a frame takes one from each at most."""


class Material:
    """One fused frame with what it was fused from; nothing is computed before a topic asks for it."""

    def __init__(self, frame: FusedFrame, workspace: Workspace) -> None:
        """Look at a frame; the one before it in this workspace must not be asked any more."""
        self.frame = frame
        self._workspace = workspace

    @cached_property
    def pictures(self) -> Mapping[PictureName, Picture]:
        """By name; fused alone where the frame does not say what it was fused from."""
        planes = {"fused": self.frame.planes}
        if (aligned := self.frame.aligned) is not None:
            planes |= {"under": aligned.under, "over": aligned.over}
        workspace = self._workspace
        return {
            name: Picture(planes[name], self.frame, workspace.rings[name], workspace.reformatter)
            for name in PICTURES
            if name in planes
        }

    @cached_property
    def confidence(self) -> ConfidenceMap | None:
        """None where the frame does not say what it was fused from."""
        aligned = self.frame.aligned
        return None if aligned is None else ConfidenceMap(aligned.confidence, self._workspace.rings[CONFIDENCE])
