"""Training pairs: random views, exposures, response curves and noise from radiance maps; parts of photographs.

Uses the simulated camera's optics and sensor, so that the network trains on what such a camera gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from pipeline.training_brackets import Bracket
from stages.capture.panorama import Panorama, View
from stages.capture.sensor import ResponseCurve, Sensor, middle_exposure
from stages.fusion.training import Batch

_LUMA_BGR = np.array([0.0722, 0.7152, 0.2126], np.float32)


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What pairs are drawn."""

    side: int = 256
    """Pixels of a training picture, square."""
    batch_size: int = 4
    working_sides: tuple[int | None, ...] = (128, 64, 96, None)
    """One of these for each batch in turn; at None (full resolution) pictures are half as wide."""
    seed: int = 0
    misalignment_px: float = 0
    """One of the exposures is shifted by up to this many pixels each way, and turned by as little, before it is taken;
    the noise-free pair is in register."""
    as_taken_share: float = 0
    """Of the rendered pairs that are judged against themselves, noise and all, as photographs are; none where
    exposures are misaligned, whose truth is in register."""
    ten_bit_share: float = 0
    """Of the rendered pairs that are stored with 10 bits and without compression."""


class PairSampler:
    """Makes batch number n, the same one every time."""

    def __init__(self, maps: Sequence[Path], brackets: Sequence[Bracket], settings: PairSettings) -> None:
        self._scenes: list[Panorama | Bracket] = [*(Panorama.load(path) for path in maps), *brackets]
        self._settings = settings

    def __call__(self, number: int) -> Batch:
        """Batch ``number`` of (batch_size, 1, side, side) pictures."""
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        # Random numbers of their own, so that all else about a pair is the same with flaws and without.
        flaws = np.random.default_rng((settings.seed, number, 1))
        working_side = settings.working_sides[number % len(settings.working_sides)]
        side = settings.side if working_side is not None else settings.side // 2
        pairs = [self._pair(rng, flaws, side) for _ in range(settings.batch_size)]
        under, over, clean_under, clean_over = (
            torch.from_numpy(np.stack(pictures)[:, None]) for pictures in zip(*pairs, strict=True)
        )
        return Batch(under, over, clean_under, clean_over, working_side)

    def _pair(
        self, rng: np.random.Generator, flaws: np.random.Generator, side: int
    ) -> tuple[npt.NDArray[np.float32], ...]:
        """Luma (side, side): under and over as a camera gives them, then both noise-free as far as that is known."""
        scene = self._scenes[rng.integers(len(self._scenes))]
        if isinstance(scene, Panorama):
            return self._rendered(scene, rng, flaws, side)
        pair = scene.part(rng, side)
        return (*(np.clip(luma, 0, 1) for luma in self._misaligned(pair, flaws)), *pair)

    def _rendered(
        self, panorama: Panorama, rng: np.random.Generator, flaws: np.random.Generator, side: int
    ) -> tuple[npt.NDArray[np.float32], ...]:
        """The same from a radiance map."""
        # Twice as large and then halved: maps are about as fine as pictures, and interpolation would leave them soft.
        view = View(
            yaw_deg=rng.uniform(-180, 180),
            pitch_deg=float(np.clip(rng.normal(0, 20), -70, 70)),
            roll_deg=rng.normal(0, 5),
            fov_deg=rng.uniform(80, 125) if side >= 200 else rng.uniform(45, 100),
            width=2 * side,
            height=2 * side,
        )
        radiance = np.asarray(cv2.resize(panorama.render(view), (side, side), interpolation=cv2.INTER_AREA), np.float32)
        if rng.random() < 0.5:
            radiance = np.ascontiguousarray(radiance[:, ::-1])
        if rng.random() < 0.8:
            radiance *= _texture(rng, side)
        stops = rng.uniform(1.5, 6)
        middle = middle_exposure(radiance) * 2 ** rng.normal(0, 0.7)
        sensor = Sensor(
            full_well_electrons=float(np.exp(rng.uniform(np.log(1e4), np.log(1e6)))),
            read_noise_electrons=rng.uniform(0.5, 4),
            response=ResponseCurve(
                gamma=rng.uniform(1.9, 2.6), offset=rng.uniform(0, 0.1), contrast=rng.uniform(0, 0.6)
            ),
        )
        exposures = (middle * 2 ** (-stops / 2), middle * 2 ** (stops / 2))
        quality = int(rng.integers(80, 101)) if rng.random() < 0.5 else None
        in_view = self._misaligned((radiance, radiance), flaws)
        exposed = [sensor.expose(scene, exposure, rng=rng) for scene, exposure in zip(in_view, exposures, strict=True)]
        ten_bit = flaws.random() < self._settings.ten_bit_share
        seen = [_in_ten_bits(picture) if ten_bit else _stored(picture, quality) for picture in exposed]
        if flaws.random() < self._settings.as_taken_share and not self._settings.misalignment_px:
            return (*seen, *seen)
        return (*seen, *(_luma(sensor.expose(radiance, exposure)) for exposure in exposures))

    def _misaligned(
        self, pair: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], flaws: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The pair, one of it moved where the settings ask for that."""
        reach_px = self._settings.misalignment_px
        if not reach_px:
            return pair
        first, second = pair
        if flaws.random() < 0.5:
            return _moved(first, flaws, reach_px), second
        return first, _moved(second, flaws, reach_px)


def _texture(rng: np.random.Generator, side: int) -> npt.NDArray[np.float32]:
    """Reflectance of a rough surface, (side, side, 1) around 1: grain of random coarseness, in patches.

    Maps of a thousand pixels around have little detail of a pixel's size, and a network that never sees any takes it
    all for noise.
    """
    grain = np.zeros((side, side), np.float32)
    for octave in range(4):
        cells = max(2, side >> octave)
        layer = rng.standard_normal((cells, cells), np.float32) * np.float32(rng.uniform(0, 1))
        grain += cv2.resize(layer, (side, side), interpolation=cv2.INTER_CUBIC)
    patches = cv2.resize(rng.standard_normal((5, 5), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    strength = rng.uniform(0.02, 0.4) * np.clip(patches + 0.5, 0, 1) / max(float(grain.std()), 1e-6)
    return np.asarray(np.exp(strength * grain), np.float32)[..., None]


def _moved(picture: npt.NDArray[np.float32], rng: np.random.Generator, reach_px: float) -> npt.NDArray[np.float32]:
    """Shifted at random, and turned about the middle by what moves an edge as far; never below 0."""
    height, width = picture.shape[:2]
    angle_deg = float(np.degrees(rng.uniform(-reach_px, reach_px) / (max(height, width) / 2)))
    motion = np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1), np.float64)
    motion[:, 2] += rng.uniform(-reach_px, reach_px, 2)
    moved = cv2.warpAffine(picture, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.maximum(moved.astype(np.float32), 0)


def _luma(bgr: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """BT.709 luma of encoded BGR, [0, 1]."""
    return np.asarray(bgr @ _LUMA_BGR, np.float32)


def _stored(bgr: npt.NDArray[np.float32], jpeg_quality: int | None) -> npt.NDArray[np.float32]:
    """Luma after rounding to 8 bit and, where a quality is given, JPEG compression."""
    luma = np.rint(_luma(bgr) * 255).astype(np.uint8)
    if jpeg_quality is not None:
        _, packed = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
        luma = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return luma.astype(np.float32) / np.float32(255)


def _in_ten_bits(bgr: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Luma after rounding to 10 bit."""
    return np.asarray(np.rint(_luma(bgr) * 1023) / 1023, np.float32)
