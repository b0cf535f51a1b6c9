"""What several files here film."""

from __future__ import annotations

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def room(tmp_path_factory):
    """A dark room of smooth patterns with a window 50 times as bright."""
    rows, columns = np.mgrid[0:256, 0:512].astype(np.float32)
    walls = 0.2 * np.exp(np.sin(columns / 9) * np.cos(rows / 7) + 0.3 * np.sin((columns + rows) / 5))
    radiance = np.stack([walls, 0.9 * walls, 1.1 * walls], axis=-1)
    radiance[100:150, 260:320] *= 50
    path = tmp_path_factory.mktemp("maps") / "room.hdr"
    cv2.imwrite(str(path), cv2.GaussianBlur(radiance, (0, 0), 1.5))
    return str(path)
