"""Tries a camera or stream for some seconds: what comes, whether it alternates, whether it obeys, and what to do."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from pipeline.config import validate_section
from pipeline.config_file import Settings
from pipeline.doctor import Finding
from pipeline.live_source import STEERABLE, capture_settings, source_argument, source_title
from pipeline.live_view import exposure_text
from pipeline.registry import stage_class
from stages.bracket import BracketState
from stages.errors import LumabraidError, PairingError
from stages.frame import ExposurePair, StreamInfo
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing
from stages.stage import Source

_OPEN_S: Final = 20.0
_WATCH_S: Final = 3.0
"""As it is: enough to see an alternation, and to measure a frame rate."""
_STEER_S: Final = 8.0
"""With exposure control: a trial of the camera, then the exposures settle."""
_FEWEST_FRAMES: Final = 10
_ENOUGH_PAIRS: Final = 25
_SECTION: Final = "camera"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came in a few seconds."""

    info: StreamInfo
    arrivals_s: list[float]
    """When each frame was there."""
    ratios_stops: list[float]
    """Of the pairs that were found."""
    refusal: str
    """Why no pairs are found; empty where they are."""
    bracket: BracketState | None
    """At the end."""

    @property
    def fps(self) -> float:
        """Frames per second, the first few left out: they may have waited in a buffer."""
        settled = self.arrivals_s[len(self.arrivals_s) // 4 :]
        return (len(settled) - 1) / (settled[-1] - settled[0]) if len(settled) > 1 else 0.0

    @property
    def longest_gap_ms(self) -> float:
        """Between two frames."""
        settled = self.arrivals_s[len(self.arrivals_s) // 4 :]
        return 1e3 * max((later - earlier for earlier, later in pairwise(settled)), default=0.0)

    @property
    def alternates(self) -> bool:
        """Whether pairs can be made of what comes."""
        return bool(self.ratios_stops) and not self.refusal


def try_camera(source: str) -> Iterator[Finding | str]:
    """Try a source as `lumabraid live --source` names it: what was found, and in the end what to do, as a text.

    There is no such text where the source does not open, or gives too few pictures to tell anything.

    Raises:
        ConfigError: it names nothing.
    """
    settings = capture_settings(source)
    steerable = settings["kind"] in STEERABLE
    try:
        seen = _watch(_left_alone(settings) if steerable else settings, _WATCH_S, steered=False)
    except LumabraidError as error:
        yield Finding(_SECTION, "opens", False, str(error))
        return
    info = seen.info
    yield Finding(_SECTION, "opens", True, f"{info.width}x{info.height}, {info.bit_depth} bit")
    if len(seen.arrivals_s) < _FEWEST_FRAMES:
        yield Finding(_SECTION, "frames", False, f"{len(seen.arrivals_s) or 'none'} in {_WATCH_S:g} s")
        return
    said = f", {float(info.frame_rate):g} as it says" if info.frame_rate else ""
    yield Finding(
        _SECTION, "frames", True, f"{seen.fps:.1f} per second{said}; longest gap {seen.longest_gap_ms:.0f} ms"
    )
    yield Finding(_SECTION, "alternates", seen.alternates, _alternation(seen))
    obeys = False
    if steerable and not seen.alternates:
        obeys, detail = _obedience(settings)
        yield Finding(_SECTION, "obeys", obeys, detail)
    yield _advice(source, seen.alternates, obeys, steerable)


def _alternation(seen: Seen) -> str:
    if not seen.alternates:
        return seen.refusal or "no pairs were found: the picture is too dark, too bright, or stays as it is"
    pairs, frames = len(seen.ratios_stops), len(seen.arrivals_s)
    return f"{statistics.median(seen.ratios_stops):.1f} stops apart; {pairs} of {frames} frames paired"


def _obedience(settings: Settings) -> tuple[bool, str]:
    """Whether the camera does as it is told, and what was seen of it."""
    try:
        seen = _watch(settings, _STEER_S, steered=True)
    except LumabraidError as error:
        return False, str(error)
    state = seen.bracket
    if state is None or state.under is None or state.over is None or not seen.alternates:
        return False, (state.note if state is not None else "") or seen.refusal or "its exposures stay as they are"
    delay = state.control_delay_frames
    when = "" if delay is None else f"{delay} frames later; " if delay else "at once; "
    return True, (
        f"{when}{exposure_text(state.under)} and {exposure_text(state.over)}, "
        f"{statistics.median(seen.ratios_stops):.1f} stops apart, {'settled' if state.settled else 'not settled yet'}"
    )


def _advice(source: str, alternates: bool, obeys: bool, steerable: bool) -> str:
    live = f"Ready: lumabraid live --source {source_argument(source)}"
    if alternates and steerable:
        return f"{live} --set capture.exposure.alternate=never"
    if alternates or obeys:
        is_short = "://" in source and source_title(source) != source
        return f"{live} (with the address in full: what is secret in it is not shown)" if is_short else live
    if steerable:
        return "Set the camera to alternate with its maker's tool, as docs/cameras.md tells, and try again."
    return "Its exposures cannot be set from here: set it to alternate where it is configured (docs/cameras.md)."


def _left_alone(settings: Settings) -> Settings:
    exposure: dict[str, Any] = settings.get("exposure", {})
    return {**settings, "exposure": {**exposure, "alternate": "never"}}


def _watch(settings: Settings, seconds: float, *, steered: bool) -> Seen:
    """Read for some seconds, and pair what comes; one that is steered no longer than until the verdict.

    Raises:
        LumabraidError: it cannot be opened, or breaks off before it gave anything.
    """
    config = validate_section("capture", settings)
    source: Source = stage_class("capture", settings["kind"])(config)
    pairing = BrightnessPairing(BrightnessConfig())
    arrivals_s: list[float] = []
    ratios_stops: list[float] = []
    refusal = ""
    try:
        with _interrupted_after(source, _OPEN_S):
            info = source.open()
        pairing.open(info)
        deadline_s = time.monotonic() + seconds
        with _interrupted_after(source, seconds):
            while time.monotonic() < deadline_s and (frame := source.read()) is not None:
                arrivals_s.append(time.monotonic())
                try:
                    outputs = [] if refusal else list(pairing.process(frame))
                except PairingError as error:
                    refusal = str(error).removeprefix(f"{info.name}: ").partition("; lumabraid needs")[0]
                    outputs = []
                ratios_stops.extend(output.ratio_stops for output in outputs if isinstance(output, ExposurePair))
                if steered and (refusal or (len(ratios_stops) >= _ENOUGH_PAIRS and _has_settled(source))):
                    break
        return Seen(info, arrivals_s, ratios_stops, refusal, None if source.bracket is None else source.bracket.state)
    finally:
        pairing.close()
        source.close()


def _has_settled(source: Source) -> bool:
    return source.bracket is not None and source.bracket.state.settled


@contextmanager
def _interrupted_after(source: Source, seconds: float) -> Iterator[None]:
    """Let a source that waits too long in the block wait no longer."""
    timer = threading.Timer(seconds, source.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
