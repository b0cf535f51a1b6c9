"""Frames: arrays that are views of the bytes received."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import lumabraid
import numpy as np
import numpy.typing as npt
import pytest
from lumabraid import Frame, Header
from lumabraid._frame import frame_from_message
from lumabraid.wire import PictureMessage, decode_message, encode_header


def frame_of(payload: bytes, encoding: str, width: int, height: int, strides: tuple[int, ...], **more: Any) -> Frame:
    header = Header(
        stream="a",
        index=0,
        pts=0,
        time_base=(1, 25),
        encoding=encoding,
        width=width,
        height=height,
        strides=strides,
        **more,
    )
    message = decode_message([f"fused/{encoding}".encode(), encode_header(header), payload])
    assert isinstance(message, PictureMessage)
    return frame_from_message(message, received_ns=time.time_ns())


def numbers(count: int) -> npt.NDArray[np.uint8]:
    return np.arange(count, dtype=np.uint8)


def test_yuv_planes_without_the_padding_of_their_rows() -> None:
    payload = numbers(8 * 3 + 3 * 2 + 4 * 2)
    frame = frame_of(payload.tobytes(), "yuv420p", 5, 3, (8, 3, 4))
    np.testing.assert_array_equal(frame.luma, payload[:24].reshape(3, 8)[:, :5])
    cb, cr = frame.chroma
    np.testing.assert_array_equal(cb, payload[24:30].reshape(2, 3))
    np.testing.assert_array_equal(cr, payload[30:].reshape(2, 4)[:, :3])


def test_ten_bit_samples_are_little_endian() -> None:
    samples = np.array([[1023, 4], [0, 512], [512, 513]], "<u2")
    frame = frame_of(samples.tobytes(), "yuv420p10le", 2, 2, (4, 2, 2))
    assert frame.luma.dtype == np.uint16
    assert frame.luma.tolist() == [[1023, 4], [0, 512]]
    assert [plane.tolist() for plane in frame.chroma] == [[[512]], [[513]]]


def test_bgr_and_gray_pictures() -> None:
    payload = numbers(2 * 10)
    bgr = frame_of(payload.tobytes(), "bgr8", 3, 2, (10,)).bgr
    assert bgr.shape == (2, 3, 3)
    assert bgr[1, 2].tolist() == [16, 17, 18]
    gray = frame_of(payload.tobytes(), "gray8", 5, 4, (5,)).gray
    assert gray.shape == (4, 5)


@pytest.mark.parametrize(
    ("encoding", "strides"), [("yuv420p", (8, 4, 4)), ("bgr8", (16,)), ("yuv420p10le", (16, 8, 8))]
)
def test_nothing_is_copied_and_nothing_can_be_written(encoding: str, strides: tuple[int, ...]) -> None:
    payload = bytes(2 * sum(strides) - sum(strides[1:]))
    frame = frame_of(payload, encoding, 5, 2, strides)
    for plane in frame.planes:
        assert np.shares_memory(plane, np.frombuffer(payload, np.uint8))
        assert not plane.flags.writeable


def test_compressed_pictures_are_given_as_bytes() -> None:
    frame = frame_of(b"\xff\xd8\xff\xd9", "jpeg", 5, 3, ())
    assert bytes(frame.data) == b"\xff\xd8\xff\xd9"
    assert frame.planes == ()


def test_asking_for_the_wrong_view_says_what_the_picture_is() -> None:
    with pytest.raises(ValueError, match="view is of bgr8 pictures, this one is gray8"):
        _ = frame_of(b"\0", "gray8", 1, 1, (1,)).bgr
    with pytest.raises(ValueError, match="data is of compressed pictures, this one is gray8"):
        _ = frame_of(b"\0", "gray8", 1, 1, (1,)).data


def test_age_counts_from_the_capture() -> None:
    age_s = frame_of(b"\0", "gray8", 1, 1, (1,), captured_ns=time.time_ns() - 2_000_000_000).age_s
    assert age_s is not None
    assert age_s >= 2
    assert frame_of(b"\0", "gray8", 1, 1, (1,)).age_s is None


def test_a_frame_outlives_its_subscriber(stations: Callable[..., Any]) -> None:
    large = np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    publisher = stations().publisher
    header = Header(index=0, pts=0, time_base=(1, 25), encoding="gray8", width=640, height=480)
    with lumabraid.Subscriber(publisher.address, topic="confidence/gray8", timeout_s=10) as frames:
        assert publisher.wait_for_reader("confidence/gray8", 10)
        publisher.publish("confidence", header, [large])
        gray = frames.read().gray
    publisher.close()
    gc.collect()
    np.testing.assert_array_equal(gray, large)


def test_repr_shows_no_pixels() -> None:
    assert repr(frame_of(b"\0", "gray8", 1, 1, (1,))) == "Frame(fused/gray8, 1x1, seq 0, pts 0)"
