"""Small generated exposures of one scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.evaluation.picture import Picture


def exposed(stops: float, *, seed: int = 7, width: int = 96, height: int = 72) -> Picture:
    """A room with a bright window."""
    rng = np.random.default_rng(seed)
    radiance = cv2.GaussianBlur(rng.gamma(0.6, 0.12, (height, width, 3)).astype(np.float32), (0, 0), 2)
    radiance[8:32, 40:80] *= 30
    encoded = np.clip(radiance * np.float32(2**stops), 0, 1) ** (1 / 2.2)
    return np.asarray(np.rint(encoded * 255), np.uint8)


def write(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def write_pair(folder: Path, first: str = "dark.png", second: str = "bright.png", *, seed: int = 7) -> None:
    write(folder / first, exposed(-2, seed=seed))
    write(folder / second, exposed(1.5, seed=seed))
