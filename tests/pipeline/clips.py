"""A small clip, as a bracketing camera would film it."""

from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

WIDTH, HEIGHT = 64, 48


def write_clip(path: Path, *, rate: int, count: int, alternating: bool = True) -> Path:
    """H.264 of a still scene, under, over, under, ...; or under alone."""
    rng = np.random.default_rng(1)
    scene = rng.integers(20, 120, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(count):
            exposed = np.clip(scene * (2 if alternating and index % 2 else 0.5), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(exposed, "bgr24")))
        container.mux(stream.encode(None))
    return path
