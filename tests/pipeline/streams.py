"""A publisher in another thread, for tests of those who read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lumabraid
import numpy as np

from tests.pipeline.clips import HEIGHT, WIDTH

PATIENCE_S = 20.0


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Run something in another thread while the block runs; its error is the test's."""
    errors: list[BaseException] = []

    def target() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert errors == []


def feed(
    address: str, *, frames: int, keys: Path | None = None, ended: bool = True, smaller_from: int | None = None
) -> Callable[[], None]:
    """Publishes once somebody reads; from a frame on in half the size."""

    def publish() -> None:
        secret = None if keys is None else keys / "publisher.key_secret"
        readers = None if keys is None else keys / "readers"
        with lumabraid.Publisher(address, keys=secret, allowed_keys=readers) as publisher:
            assert publisher.wait_for_reader("fused/yuv420p", PATIENCE_S)
            for index in range(frames):
                part = 1 if smaller_from is None or index < smaller_from else 2
                height, width = HEIGHT // part, WIDTH // part
                header = lumabraid.Header(
                    index=index,
                    pts=index,
                    time_base=(1, 25),
                    encoding="yuv420p",
                    width=width,
                    height=height,
                    color=lumabraid.Color(matrix=1, range="limited", primaries=1, transfer=1),
                )
                chroma = height // 2, width // 2
                planes = [np.full(size, 40 + index, np.uint8) for size in ((height, width), chroma, chroma)]
                publisher.publish("fused", header, planes)
                pause.wait(0.02)
            publisher.publish_status(topics=["fused/yuv420p"], ended=ended)

    pause = threading.Event()
    return publish
