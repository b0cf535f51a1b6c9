from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.frame import ColorRange, ColorTags, Exposure, ExposurePair, Frame, Planes, StreamInfo
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing
from stages.stage import Dropped

WIDTH, HEIGHT = 160, 90
FULL_RANGE = ColorTags(range=ColorRange.FULL)
DEFAULTS = BrightnessConfig()
INFO = StreamInfo(width=WIDTH, height=HEIGHT, bit_depth=8, time_base=Fraction(1, 30), name="clip.mp4")

Output: TypeAlias = ExposurePair | Dropped
Film: TypeAlias = Callable[..., list[Frame]]
Pair: TypeAlias = Callable[..., list[Output]]


@lru_cache
def _world(seed: int) -> npt.NDArray[np.float32]:
    """log2 of the light in front of the camera, some 8 stops from dark to bright, wide enough to pan."""
    rng = np.random.default_rng(seed)
    light = np.zeros((HEIGHT, 4 * WIDTH), np.float32)
    for size, contrast in ((20, 2.0), (6, 0.8), (1.5, 0.3)):
        texture = cv2.GaussianBlur(rng.normal(size=light.shape).astype(np.float32), (0, 0), size)
        light += contrast * texture / texture.std()
    return light


def _take(
    light: npt.NDArray[np.float32], rng: np.random.Generator, *, noise: float, color: ColorTags, bit_depth: int
) -> Planes:
    linear = np.clip(light + noise * rng.normal(size=light.shape) * np.sqrt(0.02 + np.clip(light, 0, 1)), 0, 1)
    signal = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    unit = 1 << (bit_depth - 8)
    black, span = (0, 256 * unit - 1) if color.is_full_range else (16 * unit, 219 * unit)
    luma = np.rint(black + span * signal).astype(np.uint8 if bit_depth == 8 else np.uint16)
    return Planes(luma, np.full((2, HEIGHT // 2, WIDTH // 2), 128 * unit, luma.dtype), bit_depth)


@pytest.fixture
def film() -> Film:
    """Films a script: a letter a frame, U under, O over, M between, K lens covered; | cuts to a new scene."""

    def shoot(
        script: str,
        *,
        stops: float = 3.0,
        brightness: float = 0.0,
        seed: int = 0,
        noise: float = 0.02,
        pan: float = 0.0,
        wobble: Callable[[int], float] = lambda index: 0.0,
        color: ColorTags = FULL_RANGE,
        bit_depth: int = 8,
        metadata: bool = False,
        flat: bool = False,
    ) -> list[Frame]:
        rng = np.random.default_rng(seed)
        scene, frames = 0, []
        for letter in script:
            if letter == "|":
                scene += 1
                continue
            index = len(frames)
            exposure_stops = {"U": -stops / 2, "O": stops / 2, "M": 0.0, "K": -50.0}[letter] + wobble(index)
            x = int(WIDTH + pan * index) % (3 * WIDTH)
            view = _world(1000 * seed + scene)[:, x : x + WIDTH] * (0 if flat else 1)
            light = 2.0 ** (view + exposure_stops + brightness - 2.5)
            planes = _take(light, rng, noise=noise, color=color, bit_depth=bit_depth)
            exposure = Exposure(time_us=8000 * 2.0**exposure_stops) if metadata else None
            frames.append(Frame(index, planes, index, Fraction(1, 30), duration=1, color=color, exposure=exposure))
        return frames

    return shoot


@pytest.fixture
def pair() -> Pair:
    """Runs the stage over frames and checks what holds always: an output a frame, in order."""

    def run(frames: list[Frame], config: BrightnessConfig = DEFAULTS) -> list[Output]:
        stage = BrightnessPairing(config)
        assert stage.open(INFO) == INFO
        try:
            outputs = [output for frame in frames for output in stage.process(frame)]
            outputs += stage.flush()
        finally:
            stage.close()
        assert [output.index for output in outputs] == [frame.index for frame in frames]
        return outputs

    return run
