"""Exposure control and pairing against the simulated camera, whose every exposure is known.

    python -m benchmarks.exposure MAP.hdr [MAP.hdr ...] [--seeds 101 102] [--delays 0 1 2 3 4 5 6] [--still]

For each delay of the camera's control, with and without lost frames and flickering lamps, the camera films 12 s in
which the light is switched by six stops and back. The camera tells no exposure; pairing is told what the source that
drives it found out by itself, as in a live run, or with --pictures-alone nothing. Columns:

  right    share of frames paired with a frame that truly is of the other exposure, in the right roles, and no farther
           away than the nearest such frame in the same light
  (rest)   the same without the first second after each switch, in which pictures may be black or white altogether
  resync   most wrong frames in a row from a lost frame on
  settle   seconds from the switch until both exposures stay within half a stop of where they come to rest: mean, worst;
           a window or a lamp that comes into view moves them as well: --still to know what the switch alone does
  over     farthest that an exposure went beyond where it came to rest, in stops
  hunt     largest standard deviation of an exposure in the last 1.5 s before a switch or the end, in stops
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from stages.capture.bracketed import BracketedSource
from stages.capture.camera import CameraCapabilities
from stages.capture.exposure.config import ExposureConfig
from stages.capture.simulated import SimulatedCamera, SimulatedConfig
from stages.errors import PairingError
from stages.frame import Exposure, ExposurePair, Frame
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing

_RATE = 30
_SWITCHES_S = (4.0, 8.0)
_SECONDS = 12.0
_STOPS = 6.0
_NEAR_STOPS = 0.5
_REST_S = 1.5
_UNREST_S = 1.0


class Witness:
    """A ``Camera`` that loses frames, tells no exposure, and remembers all of them."""

    def __init__(self, config: SimulatedConfig) -> None:
        self._camera = SimulatedCamera(dataclasses.replace(config, metadata=True, dropped_frames=0))
        self._loss = config.dropped_frames
        self._rng = np.random.default_rng(config.seed)
        self._instants = config.frame_count or 0
        self.stops: list[float] = []
        """By instant, lost frames included."""
        self.lost: list[bool] = []
        self.open = self._camera.open
        self.close = self._camera.close

    @property
    def capabilities(self) -> CameraCapabilities:
        """The camera's."""
        return self._camera.capabilities

    def set_exposure(self, time_us: float, gain: float = 1.0) -> Exposure:
        """Pass the command on."""
        return self._camera.set_exposure(time_us, gain)

    def read(self) -> Frame | None:
        """The next frame that is not lost."""
        while True:
            frame = self._camera.read()
            if frame is None or frame.pts >= self._instants or frame.exposure is None:
                return None
            self.stops.append(math.log2(frame.exposure.time_us * frame.exposure.gain))
            self.lost.append(bool(self._rng.random() < self._loss))
            if not self.lost[-1]:
                return dataclasses.replace(frame, exposure=None)

    def is_under(self, instant: int) -> bool:
        """By the nearest frames that were exposed otherwise, on either side."""
        here = self.stops[instant]
        sides = [self.stops[max(instant - 8, 0) : instant][::-1], self.stops[instant + 1 : instant + 9]]
        steps = [next((other - here for other in side if abs(other - here) > 0.4), 0.0) for side in sides]
        return sum(steps) > 0


@dataclass
class Score:
    """What is measured of one or more films."""

    frames: int = 0
    right: int = 0
    rest: int = 0
    rest_right: int = 0
    resync: list[int] = field(default_factory=lambda: [0])
    settle_s: list[float] = field(default_factory=list)
    over: list[float] = field(default_factory=lambda: [0.0])
    hunt: list[float] = field(default_factory=lambda: [0.0])
    refused: int = 0

    def add(self, other: Score) -> None:
        """Take in another film's."""
        for name in ("frames", "right", "rest", "rest_right", "refused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("resync", "settle_s", "over", "hunt"):
            getattr(self, name).extend(getattr(other, name))

    def __str__(self) -> str:
        settle_s = self.settle_s or [math.nan]
        return (
            f"{self.frames:6d} {100 * self.right / max(self.frames, 1):7.2f}% "
            f"{100 * self.rest_right / max(self.rest, 1):7.2f}% "
            f"{max(self.resync):5d} {np.mean(settle_s):7.2f} {max(settle_s):5.2f} "
            f"{max(self.over):5.2f} {max(self.hunt):5.2f}" + (f"  refused {self.refused}x" if self.refused else "")
        )


HEADER = "frames    right    (rest) resync settle worst  over  hunt"


def film(config: SimulatedConfig, exposure: ExposureConfig, *, told: bool = True, trace: bool = False) -> Score:
    """One film through exposure control and pairing."""
    witness = Witness(config)
    source = BracketedSource(witness, exposure)
    pairing = BrightnessPairing(BrightnessConfig())
    score = Score()
    frames: list[Frame] = []
    pairs: dict[int, ExposurePair] = {}
    pairing.open(source.open())
    try:
        while (frame := source.read()) is not None:
            if not told:
                frame = dataclasses.replace(frame, exposure=None)
            frames.append(frame)
            pairs |= {output.index: output for output in pairing.process(frame) if isinstance(output, ExposurePair)}
        pairs |= {output.index: output for output in pairing.flush() if isinstance(output, ExposurePair)}
    except PairingError as error:
        print(error)
        score.refused = 1
    finally:
        pairing.close()
        source.close()
    roles = [witness.is_under(frame.pts) for frame in frames]
    lights = [sum(frame.pts / _RATE >= switch_s for switch_s in _SWITCHES_S) for frame in frames]
    right = [index in pairs and _is_right(pairs[index], roles, lights) for index in range(len(frames))]
    rest = [not any(0 <= frame.pts / _RATE - switch_s < _UNREST_S for switch_s in _SWITCHES_S) for frame in frames]
    score.frames, score.right = len(frames), sum(right)
    score.rest, score.rest_right = sum(rest), sum(good and calm for good, calm in zip(right, rest, strict=True))
    for before, after in itertools.pairwise(range(len(frames))):
        if frames[after].pts - frames[before].pts > 1:
            score.resync.append(len(list(itertools.takewhile(lambda good: not good, right[after:]))))
    if trace:
        for frame, role, good in zip(frames, roles, right, strict=True):
            pair = pairs.get(frame.index)
            said = "-" if pair is None else f"{'U' if pair.reference_is_under else 'O'} with {pair.neighbour.index}"
            print(frame.index, frame.pts, f"{witness.stops[frame.pts]:.2f}", "UO"[not role], said, good or "WRONG")
    _judge_exposures(witness, score)
    return score


def _is_right(pair: ExposurePair, roles: list[bool], lights: list[int]) -> bool:
    """Whether roles are true and no truly other frame in the same light is nearer."""
    index, neighbour = pair.index, pair.neighbour.index
    if pair.reference_is_under != roles[index] or roles[neighbour] == roles[index]:
        return False
    near = range(max(index - 8, 0), min(index + 9, len(roles)))
    others = [abs(other - index) for other in near if roles[other] != roles[index] and lights[other] == lights[index]]
    return abs(neighbour - index) <= min(others, default=8)


def _judge_exposures(witness: Witness, score: Score) -> None:
    """How fast, how far beyond and how steadily exposures followed."""
    stops = np.array(witness.stops)
    under = np.array([witness.is_under(instant) for instant in range(len(stops))])
    times = np.arange(len(stops)) / _RATE
    for start, end in zip((0.0, *_SWITCHES_S), (*_SWITCHES_S, _SECONDS), strict=True):
        settle = 0.0
        for role in (True, False):
            chosen = (under == role) & (times >= start) & (times < end)
            at, level = times[chosen], stops[chosen]
            rest = level[at >= end - _REST_S]
            if rest.size == 0:
                continue
            score.hunt.append(float(rest.std()))
            away = level - np.median(rest)
            settle = max(settle, float(at[np.abs(away) > _NEAR_STOPS].max(initial=start)) - start)
            if start > 0:
                score.over.append(max(0.0, float((-np.sign(away[0]) * away)[at > start + 0.1].max(initial=0.0))))
        if start > 0:
            score.settle_s.append(settle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", nargs="+", metavar="MAP.hdr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101])
    parser.add_argument("--delays", type=int, nargs="+", default=list(range(7)))
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--mains-steps", action="store_true", help="exposures in whole flashes of the lamps")
    parser.add_argument("--still", action="store_true", help="nothing moves, neither the camera nor anything before it")
    parser.add_argument("--pictures-alone", action="store_true", help="pairing is not told what the source found out")
    parser.add_argument("--trace", action="store_true", help="every frame of every film")
    arguments = parser.parse_args()
    exposure = ExposureConfig(mains_hz=50 if arguments.mains_steps else None)
    total = Score()
    print(f"delay loss flicker switch {HEADER}")
    for delay, loss, flicker, sign in itertools.product(arguments.delays, (0.0, 0.05), (0.0, 0.3), (1, -1)):
        score = Score()
        for path, seed in itertools.product(arguments.maps, arguments.seeds):
            config = SimulatedConfig(
                map=path,
                width=arguments.width,
                height=arguments.height,
                frame_rate=_RATE,
                seconds=_SECONDS,
                seed=seed,
                pan_deg_per_s=0.0 if arguments.still else 1.0,
                shake_deg=0.0 if arguments.still else 0.15,
                objects=0 if arguments.still else 1,
                control_delay_frames=delay,
                dropped_frames=loss,
                flicker_depth=flicker,
                light_switches=((_SWITCHES_S[0], sign * _STOPS), (_SWITCHES_S[1], -sign * _STOPS)),
            )
            score.add(film(config, exposure, told=not arguments.pictures_alone, trace=arguments.trace))
        print(f"{delay:5d} {loss:4.2f} {flicker:7.1f} {sign * _STOPS:+6.0f} {score}", flush=True)
        total.add(score)
    print(f"all                       {total}")


if __name__ == "__main__":
    main()
