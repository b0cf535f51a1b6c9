"""Settings of the simulated camera."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from stages.capture.exposure.config import ExposureConfig
from stages.capture.motion import CameraPath
from stages.capture.panorama import View
from stages.capture.sensor import RESPONSES, Sensor
from stages.stage import FORBID_UNKNOWN_KEYS

_NTSC_ROUNDING = Fraction(1, 1000)
"""How far from n * 1000 / 1001 a decimal such as 23.976 or 59.94 may lie."""

_LIMITS: dict[str, tuple[float, float]] = {
    "width": (1, 16384),
    "height": (1, 16384),
    "frame_rate": (0.1, 1000),
    "seconds": (0, 1e6),
    "seed": (0, 2**63 - 1),
    "stops": (0.1, 12),
    "bias_stops": (-20, 20),
    "control_delay_frames": (0, 100),
    "yaw_deg": (-360, 360),
    "pitch_deg": (-90, 90),
    "fov_deg": (1, 179),
    "pan_deg_per_s": (-1000, 1000),
    "tilt_deg_per_s": (-1000, 1000),
    "zoom_per_s": (0.1, 10),
    "shake_deg": (0, 45),
    "objects": (0, 100),
    "noise": (0, 100),
    "dropped_frames": (0, 0.99),
    "mains_hz": (1, 1000),
    "flicker_depth": (0, 1),
}
"""Smallest and largest value by setting."""
_MOST_SWITCHED_STOPS = 20


@dataclass(frozen=True, kw_only=True)
class SimulatedConfig:
    """A camera that looks into a radiance map and alternates between a short and a long exposure."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["simulated"] = "simulated"
    """Which source this is."""
    map: str
    """Equirectangular Radiance .hdr file."""
    width: int = 640
    """Pixels."""
    height: int = 360
    """Pixels."""
    bit_depth: Literal[8, 10] = 8
    """Of the code values."""
    frame_rate: float = 25.0
    """Frames per second; 29.97 is taken as 30000/1001."""
    seconds: float | None = 4.0
    """How long it films, at least one frame; null = until stopped."""
    realtime: bool = False
    """true = frames come at the frame rate at most; false = as fast as they are asked for."""
    seed: int = 0
    """Chooses noise, hand shake, objects and lost frames: the same settings give the same pictures."""
    stops: float = 3.0
    """Between the under and the over exposure."""
    bias_stops: float = 0.0
    """Brightens both exposures (negative: darkens) from those chosen for the first view."""
    starts_with: Literal["under", "over"] = "under"
    """Exposure of the first frame."""
    control_delay_frames: int = 0
    """Frames from the command to the first frame with the new exposure."""
    obeys: bool = True
    """false = the camera takes exposure commands and ignores them, as some drivers do."""
    exposure: ExposureConfig | None = None
    """Steers the camera by what it sees: ``stops``, ``bias_stops`` and ``starts_with`` then do not matter; null = the
    bracket that suits the first view, throughout."""
    metadata: bool = False
    """true = frames tell their exposure; false = the picture must."""
    yaw_deg: float = 0.0
    """Where the camera looks at first: positive is right of the map's middle."""
    pitch_deg: float = 0.0
    """Positive looks up."""
    fov_deg: float = 100.0
    """Horizontal field of view at first."""
    pan_deg_per_s: float = 4.0
    """Positive turns right."""
    tilt_deg_per_s: float = 0.0
    """Positive looks up."""
    zoom_per_s: float = 1.0
    """The focal length is multiplied by this every second: 1.1 closes in, 0.9 opens."""
    shake_deg: float = 0.15
    """Root mean square of the hand shake."""
    objects: int = 1
    """Moving objects in front of the map."""
    response: Literal["srgb", "bt709", "gamma", "s_curve"] = "srgb"
    """The camera's response curve."""
    noise: float = 1.0
    """Strength of shot and read noise: 0 = none, 1 = a good small sensor, 4 = a poor one."""
    dropped_frames: float = 0.0
    """Probability that a frame is lost on its way from the camera, up to 0.99."""
    mains_hz: float = 50.0
    """Frequency of the mains; lamps flicker at twice this."""
    flicker_depth: float = 0.0
    """Share of the light that flickers, 0 to 1."""
    light_switches: tuple[tuple[float, float], ...] = ()
    """(time_s, stops) each: from this time on there is so much more light than before (negative: less)."""

    def __post_init__(self) -> None:
        """Refuse settings without a picture."""
        if not self.map:
            raise ValueError("map must name an equirectangular Radiance .hdr file, got ''")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value}")
        for switch in self.light_switches:
            if len(switch) != 2 or not (switch[0] >= 0 and abs(switch[1]) <= _MOST_SWITCHED_STOPS):
                raise ValueError(
                    "light_switches must be (time_s, stops) each, time_s 0 or more, stops between "
                    f"-{_MOST_SWITCHED_STOPS} and {_MOST_SWITCHED_STOPS}, got {switch}"
                )

    @property
    def rate(self) -> Fraction:
        """Frames per second, exactly."""
        ntsc = Fraction(1000 * round(self.frame_rate * 1.001), 1001)
        if not float(self.frame_rate).is_integer() and abs(ntsc - Fraction(self.frame_rate)) < _NTSC_ROUNDING:
            return ntsc
        return Fraction(self.frame_rate).limit_denominator(1000)

    @property
    def frame_count(self) -> int | None:
        """Frames filmed, lost ones included; at least one."""
        return None if self.seconds is None else max(round(self.seconds * self.rate), 1)

    def path(self) -> CameraPath:
        """The camera's motion."""
        view = View(
            yaw_deg=self.yaw_deg,
            pitch_deg=self.pitch_deg,
            fov_deg=self.fov_deg,
            width=self.width,
            height=self.height,
        )
        return CameraPath(
            view,
            pan_deg_per_s=self.pan_deg_per_s,
            tilt_deg_per_s=self.tilt_deg_per_s,
            zoom_per_s=self.zoom_per_s,
            shake_deg=self.shake_deg,
            seed=self.seed,
        )

    def sensor(self) -> Sensor:
        """The sensor; with no noise asked for, ``expose`` must be given no generator."""
        # Fewer electrons for the same picture: relative noise grows with the square root, read noise with it.
        strength = self.noise or 1.0
        good = Sensor()
        return Sensor(
            full_well_electrons=good.full_well_electrons / strength**2,
            read_noise_electrons=good.read_noise_electrons / strength,
            response=RESPONSES[self.response],
        )
