"""The publisher's parts: addresses, buffers, the forms of a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import zmq

from stages.color import bgr_from_planes
from stages.frame import BT709, ColorRange, ColorTags, FusedFrame
from stages.publishing.buffers import BufferRing
from stages.publishing.endpoint import check_address, is_public
from stages.publishing.material import Material, Workspace
from stages.publishing.picture import Picture
from stages.publishing.zeromq import ZeroMqConfig
from tests.publishing.conftest import PATIENCE_S, fused


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("tcp://127.0.0.1:5555", False),
        ("tcp://127.8.0.1:*", False),
        ("tcp://localhost:5555", False),
        ("tcp://[::1]:5555", False),
        ("ipc:///tmp/fused", False),
        ("tcp://*:5555", True),
        ("tcp://0.0.0.0:5555", True),
        ("tcp://[::]:5555", True),
        ("tcp://192.168.1.2:5555", True),
        ("tcp://eth0:5555", True),
    ],
)
def test_who_can_reach_an_address(address: str, public: bool) -> None:
    check_address(address)
    assert is_public(address) == public
    if public:
        with pytest.raises(ValueError, match="can be reached from other machines"):
            ZeroMqConfig(address=address)
    assert ZeroMqConfig(address=address, insecure=True).address == address
    assert ZeroMqConfig(address=address, keys="keys").address == address


@pytest.mark.parametrize(
    "address",
    ["", "5555", "tcp://", "tcp://host", "tcp://:5555", "tcp://host:", "tcp://h:65536", "ipc://", "udp://h:1"],
)
def test_what_is_no_address_is_quoted(address: str) -> None:
    with pytest.raises(ValueError, match=r"^address must be tcp://HOST:PORT or ipc://PATH, got") as caught:
        ZeroMqConfig(address=address)
    assert repr(address) in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encodings": ()}, "encodings must name at least one encoding, got none"),
        ({"jpeg_quality": 0}, "jpeg_quality must lie in 1 to 100, got 0"),
        ({"crf": 52}, "crf must lie in 0 to 51, got 52"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ZeroMqConfig(**settings)


def test_a_buffer_is_not_used_again_while_it_is_being_sent() -> None:
    ring = BufferRing()
    sent = ring.take(100_000)
    message = sent.message()
    assert not sent.is_free
    assert ring.take(100_000) is not sent
    tracker = message.tracker
    assert isinstance(tracker, zmq.MessageTracker)
    del message
    tracker.wait(PATIENCE_S)
    assert sent.is_free
    assert sent in [ring.take(100_000), ring.take(100_000)]


def test_the_ring_does_not_grow_without_need() -> None:
    ring = BufferRing()
    assert len({id(ring.take(1000)) for _ in range(100)}) <= 2


def picture(frame: FusedFrame) -> Picture:
    return Material(frame, Workspace()).pictures["fused"]


@pytest.mark.parametrize("color", [BT709, ColorTags(5, ColorRange.FULL), ColorTags(9, ColorRange.LIMITED), ColorTags()])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 47), (2, 2)])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_bgr_follows_the_colour_tags(color: ColorTags, width: int, height: int, bit_depth: int) -> None:
    frame = replace(fused(3, width=width, height=height, bit_depth=bit_depth), color=color)
    expected = 255 * bgr_from_planes(frame.planes, color)
    seen = picture(frame).bgr.pixels.reshape(height, width, 3)
    assert np.abs(seen - expected).max() < 3


def test_what_is_added_to_an_odd_size_repeats_the_edge() -> None:
    frame = fused(0, width=63, height=47)
    padded = picture(frame).video_frame.to_ndarray()[:48]
    assert padded.shape == (48, 64)
    assert np.array_equal(padded[:47, :63], frame.planes.luma)
    assert np.array_equal(padded[:47, 63], frame.planes.luma[:, 62])
    assert np.array_equal(padded[47], padded[46])
