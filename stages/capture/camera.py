"""What a camera with settable exposure can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stages.frame import Exposure, Frame, StreamInfo


@dataclass(frozen=True, slots=True)
class CameraCapabilities:
    """What a camera says of its exposure control."""

    min_time_us: float
    max_time_us: float
    min_gain: float = 1.0
    max_gain: float = 1.0
    control_delay_frames: int | None = None
    """How many frames after a call a new exposure shows; None when only a trial can tell."""
    obeys: bool = True
    """False when the camera takes the call and changes nothing."""

    def clamp(self, exposure: Exposure) -> Exposure:
        """The nearest exposure within the limits."""
        return Exposure(
            time_us=min(max(exposure.time_us, self.min_time_us), self.max_time_us),
            gain=min(max(exposure.gain, self.min_gain), self.max_gain),
        )


class Camera(Protocol):
    """A camera whose exposure can be set from frame to frame."""

    @property
    def capabilities(self) -> CameraCapabilities:
        """What the camera can do; valid after ``open``."""

    def open(self) -> StreamInfo:
        """Start it.

        Raises:
            SourceError: there is no such camera, or it cannot be opened.
        """

    def set_exposure(self, time_us: float, gain: float = 1.0) -> Exposure:
        """Ask for an exposure for the frames from ``control_delay_frames`` after the next one on.

        Returns:
            What the camera accepted, within its limits. Only the pictures prove that it obeyed.
        """

    def read(self) -> Frame | None:
        """Wait for the next frame; None when the stream ended.

        Raises:
            DamagedSourceError: the camera was lost.
        """

    def close(self) -> None:
        """Let go of it; also after a failed ``open``, and never raises."""
