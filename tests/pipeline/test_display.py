"""What arrives over the network, shown: every encoding gives the picture that was sent."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lumabraid
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.display import Display
from pipeline.received import ReceivedPictures
from pipeline.subscription import Reception
from stages.color import bgr_from_planes
from stages.errors import ConfigError, LumabraidError
from stages.frame import BT709, FusedFrame, Planes
from stages.publishing.zeromq import ZeroMqConfig, ZeroMqPublisher
from tests.publishing.conftest import PATIENCE_S, fused, info


@contextmanager
def published(address: str, frame: FusedFrame) -> Iterator[None]:
    """The same picture, 50 times a second."""
    publisher = ZeroMqPublisher(ZeroMqConfig(address=address))
    publisher.open(info(frame))
    ended = threading.Event()

    def send() -> None:
        for index in itertools.count():
            if ended.wait(0.02):
                return
            for _ in publisher.process(dataclasses.replace(frame, index=index, pts=index * frame.duration)):
                pass

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join(PATIENCE_S)
        publisher.close()


def smooth() -> FusedFrame:
    """A picture that compression keeps."""
    rows, columns = np.mgrid[0:48, 0:64]
    luma = (40 + 2 * columns + rows).astype(np.uint8)
    chroma = np.stack([np.full((24, 32), 110, np.uint8), np.full((24, 32), 150, np.uint8)])
    sample = fused(0)
    return FusedFrame(
        index=0,
        planes=Planes(luma, chroma),
        pts=0,
        time_base=sample.time_base,
        duration=sample.duration,
        color=BT709,
        sources=(0, 0),
        ratio_stops=3.0,
        captured_ns=time.time_ns(),
        fused_ns=time.time_ns(),
    )


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/fused"


@pytest.mark.parametrize("encoding", ["yuv420p", "bgr8", "jpeg", "h264", "h265"])
def test_every_encoding_gives_the_picture_that_was_sent(address: str, encoding: str) -> None:
    frame, pictures = smooth(), ReceivedPictures()
    with (
        published(address, frame),
        lumabraid.Subscriber(address, topic=f"fused/{encoding}", policy="every", timeout_s=PATIENCE_S) as frames,
    ):
        planes, color = next(read for received in frames if (read := pictures.read(received)) is not None)
    sent, shown = bgr_from_planes(frame.planes, BT709), bgr_from_planes(planes, color)
    assert np.abs(sent - shown).mean() * 255 < 2.5


def test_a_page_shows_what_arrives(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with published(address, smooth()):
        assert main(["subscribe", address, "--preview", "0", "--count", "5"]) == 0
    captured = capsys.readouterr()
    assert "preview at http://127.0.0.1:" in captured.err
    assert captured.out.startswith("5 frames")


def test_closing_the_window_ends_the_reading(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Window:
        def __init__(self, title: str) -> None:
            self.shown = 0

        @property
        def closed_by_hand(self) -> bool:
            return self.shown >= 3

        def open(self) -> None:
            return

        def show(self, planes: Planes, color: object) -> None:
            self.shown += 1

        def close(self) -> None:
            return

    monkeypatch.setattr("pipeline.display.Viewer", Window)
    with published(address, smooth()):
        assert main(["subscribe", address, "--window"]) == 0
    assert "frames, " in capsys.readouterr().out


def test_the_page_tells_what_was_lost_on_the_way(address: str) -> None:
    reception = Reception(
        frames=90, fps=25.0, age_p50_ms=3.0, age_p99_ms=9.0, skipped=7, lost=3, restarts=0, malformed=0
    )
    with Display(title="", window=False, preview="0") as display:
        display.tell(reception)
        assert display.url is not None
        with urllib.request.urlopen(f"{display.url}status", timeout=PATIENCE_S) as answer:
            told = json.load(answer)["pipeline"]
    assert told == dataclasses.asdict(reception)


def test_what_cannot_be_shown_is_named(address: str) -> None:
    class Odd:
        topic = "fused/depth16"
        header = lumabraid.Header(
            index=0,
            pts=0,
            time_base=(1, 25),
            encoding="depth16",
            width=2,
            height=2,
            color=lumabraid.Color(matrix=2, range="full", primaries=2, transfer=2),
        )

    with pytest.raises(LumabraidError, match=r"^fused/depth16 cannot be shown: take a topic of one of yuv420p"):
        ReceivedPictures().read(Odd())  # type: ignore[arg-type]


def test_a_page_that_has_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^preview: address must be HOST:PORT"):
        Display(title="", window=False, preview="here")
