"""Training pairs from radiance maps: random views, exposures, response curves and noise.

Uses the simulated camera's optics and sensor, so that the network trains on what such a camera gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from stages.capture.panorama import Panorama, View
from stages.capture.sensor import ResponseCurve, Sensor, middle_exposure
from stages.errors import ConfigError
from stages.fusion.training import Batch

_LUMA_BGR = np.array([0.0722, 0.7152, 0.2126], np.float32)


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What pairs are drawn."""

    side: int = 256
    """Pixels of a training picture, square."""
    batch_size: int = 4
    working_sides: tuple[int | None, ...] = (128, 96, 160, None)
    """One of these for each batch in turn; at None (full resolution) pictures are half as wide."""
    seed: int = 0


class PairSampler:
    """Makes batch number n, the same one every time."""

    def __init__(self, maps: Sequence[Path], settings: PairSettings) -> None:
        self._panoramas = [Panorama.load(path) for path in maps]
        self._settings = settings

    def __call__(self, number: int) -> Batch:
        """Batch ``number`` of (batch_size, 1, side, side) pictures."""
        settings = self._settings
        rng = np.random.default_rng((settings.seed, number))
        working_side = settings.working_sides[number % len(settings.working_sides)]
        side = settings.side if working_side is not None else settings.side // 2
        pairs = [self._pair(rng, side) for _ in range(settings.batch_size)]
        under, over, clean_under, clean_over = (
            torch.from_numpy(np.stack(pictures)[:, None]) for pictures in zip(*pairs, strict=True)
        )
        return Batch(under, over, clean_under, clean_over, working_side)

    def _pair(self, rng: np.random.Generator, side: int) -> tuple[npt.NDArray[np.float32], ...]:
        """Luma (side, side): under and over as a camera gives them, then both noise-free."""
        panorama = self._panoramas[rng.integers(len(self._panoramas))]
        view = View(
            yaw_deg=rng.uniform(-180, 180),
            pitch_deg=float(np.clip(rng.normal(0, 20), -70, 70)),
            roll_deg=rng.normal(0, 5),
            fov_deg=rng.uniform(45, 105) if side >= 200 else rng.uniform(25, 60),
            width=side,
            height=side,
        )
        radiance = panorama.render(view)
        if rng.random() < 0.5:
            radiance = np.ascontiguousarray(radiance[:, ::-1])
        stops = rng.uniform(1.5, 6)
        middle = middle_exposure(radiance) * 2 ** rng.normal(0, 0.7)
        sensor = Sensor(
            full_well_electrons=float(np.exp(rng.uniform(np.log(1500), np.log(30000)))),
            read_noise_electrons=rng.uniform(1, 8),
            response=ResponseCurve(
                gamma=rng.uniform(1.9, 2.6), offset=rng.uniform(0, 0.1), contrast=rng.uniform(0, 0.6)
            ),
        )
        exposures = (middle * 2 ** (-stops / 2), middle * 2 ** (stops / 2))
        quality = int(rng.integers(80, 101)) if rng.random() < 0.5 else None
        seen = [_stored(sensor.expose(radiance, exposure, rng=rng), quality) for exposure in exposures]
        clean = [_luma(sensor.expose(radiance, exposure)) for exposure in exposures]
        return (*seen, *clean)


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


def split_maps(folder: Path, held_out: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Radiance maps for training and for validation.

    Args:
        folder: holds ``.hdr`` files.
        held_out: names, or beginnings of names, of the maps kept for validation; none means every fifth place
            (maps whose names differ in their number only show one place and stay together).

    Raises:
        ConfigError: there are too few maps, or a held-out name fits none.
    """
    maps = sorted(folder.glob("*.hdr"))
    if len(maps) < 2:
        raise ConfigError(f"{folder}: {len(maps)} .hdr files; training needs at least 2, one of them for validation")
    for name in held_out:
        if not any(path.name.startswith(name) for path in maps):
            raise ConfigError(f"--hold-out {name}: no map in {folder} has a name that begins so")
    places = sorted({_place(path) for path in maps})
    kept_aside = set() if held_out else set(places[2::5] or places[-1:])
    validation = [p for p in maps if _place(p) in kept_aside or any(p.name.startswith(name) for name in held_out)]
    training = [path for path in maps if path not in validation]
    if not training:
        raise ConfigError("--hold-out leaves no map to train on")
    return training, validation


def _place(path: Path) -> str:
    """The name without numbers and resolution."""
    return re.sub(r"(_\d+)?(_\d+k)?$", "", path.stem)
