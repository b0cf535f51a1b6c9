"""Pairs rendered from radiance maps, whose noise-free exposures are known.

Views, exposures, response curves and noise are drawn as for training, but by a recipe of their own: figures stay
comparable when training's changes.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipeline.evaluation.pair import EvaluationPair, PairSource
from pipeline.evaluation.picture import Picture, rounded
from stages.capture.panorama import Panorama, View
from stages.capture.sensor import ResponseCurve, Sensor, middle_exposure

_WIDTH, _HEIGHT = 640, 480
_STOPS: Final = (1.5, 6.0)


def rendered_pairs(path: Path, count: int, seed: int, *, longest_side: int | None, clean: bool) -> list[PairSource]:
    """Pairs seen in one equirectangular map; the same views for the same file name, number and seed.

    Args:
        path: of the map.
        count: pairs.
        seed: chooses views, exposures and noise.
        longest_side: what is seen is reduced to so many pixels, which makes it as sharp as a picture can be.
        clean: neither noise nor compression: the noise-free exposures are the pair.
    """
    return [_source(path, number, seed, longest_side, clean) for number in range(1, count + 1)]


def _source(path: Path, number: int, seed: int, longest_side: int | None, clean: bool) -> PairSource:
    name = f"{path.stem}-{number}"

    def load() -> EvaluationPair:
        pair = render_pair(Panorama.load(path), name, seed, longest_side)
        return replace(pair, under=pair.clean_under, over=pair.clean_over) if clean else pair

    return PairSource(name, load)


def render_pair(panorama: Panorama, name: str, seed: int, longest_side: int | None = None) -> EvaluationPair:
    """One random view at two exposures; ``name`` and ``seed`` decide which."""
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    view = View(
        yaw_deg=rng.uniform(-180, 180),
        pitch_deg=float(np.clip(rng.normal(0, 15), -60, 60)),
        roll_deg=rng.normal(0, 3),
        fov_deg=rng.uniform(60, 100),
        width=_WIDTH,
        height=_HEIGHT,
    )
    radiance = panorama.render(view)
    if longest_side is not None and longest_side < _WIDTH:
        size = (longest_side, round(_HEIGHT * longest_side / _WIDTH))
        radiance = np.asarray(cv2.resize(radiance, size, interpolation=cv2.INTER_AREA), np.float32)
    stops = rng.uniform(*_STOPS)
    middle = middle_exposure(radiance) * 2 ** rng.normal(0, 0.5)
    sensor = Sensor(
        full_well_electrons=float(np.exp(rng.uniform(np.log(3000), np.log(30000)))),
        read_noise_electrons=rng.uniform(1, 6),
        response=ResponseCurve(gamma=rng.uniform(2.0, 2.5), offset=rng.uniform(0, 0.09), contrast=rng.uniform(0, 0.5)),
    )
    quality = int(rng.integers(85, 100))
    exposures = (middle * 2 ** (-stops / 2), middle * 2 ** (stops / 2))
    under, over = (_compressed(rounded(sensor.expose(radiance, each, rng=rng)), quality) for each in exposures)
    clean_under, clean_over = (rounded(sensor.expose(radiance, each)) for each in exposures)
    return EvaluationPair(name, under, over, clean_under, clean_over, stops)


def _compressed(picture: Picture, jpeg_quality: int) -> Picture:
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
