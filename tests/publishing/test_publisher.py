"""The publisher seen from both ends: the pipeline, and readers that know nothing but the wire format."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import pytest
import zmq
from av.video.codeccontext import VideoCodecContext
from lumabraid.keys import create_key_pair, load_key_pair, load_public_key
from lumabraid.wire import UNSPECIFIED_COLOR, PictureMessage

from stages.color import bgr_from_planes
from stages.errors import ConfigError, EncodeError
from stages.frame import FusedFrame
from stages.publishing.endpoint import bind
from stages.publishing.material import Material
from stages.publishing.sender import Sender
from stages.publishing.topics import Encoded, Topic
from tests.publishing.conftest import PATIENCE_S, RATE, Reader, Stand, fused, publish_until


def test_frames_pass_through_as_they_are(stand: Stand) -> None:
    publisher = stand.publisher()
    frames = [fused(index) for index in range(3)]
    assert [out for frame in frames for out in publisher.process(frame)] == frames
    assert list(publisher.flush()) == []


def test_raw_planes_arrive_untouched_with_all_that_is_known_of_them(stand: Stand) -> None:
    publisher = stand.publisher()
    message = publish_until(publisher, stand.reader(publisher, "fused/yuv420p"))
    header = message.header
    frame = fused(header.index)
    for plane, pixels in zip(message.payload, (frame.planes.luma, *frame.planes.chroma), strict=True):
        assert np.array_equal(np.frombuffer(plane, np.uint8).reshape(pixels.shape), pixels)
    assert (header.width, header.height, header.strides) == (64, 48, (64, 32, 32))
    assert (header.pts, header.time_base) == (frame.pts, (1, 90_000))
    assert (header.color.matrix, header.color.range) == (1, "limited")
    assert (header.ratio_stops, header.sources) == (3.0, frame.sources)
    assert 0 < header.captured_ns <= header.fused_ns <= header.published_ns


def test_ten_bit_is_offered_beside_eight(stand: Stand) -> None:
    def make(index: int) -> FusedFrame:
        return fused(index, bit_depth=10)

    publisher = stand.publisher(make(0))
    deep = publish_until(publisher, stand.reader(publisher, "fused/yuv420p10le"), make=make)
    luma = make(deep.header.index).planes.luma
    assert np.array_equal(np.frombuffer(deep.payload[0], np.uint16).reshape(luma.shape), luma)
    reader = stand.reader(publisher, "fused/yuv420p")
    shallow = publish_until(publisher, reader, lambda message: message.header.encoding == "yuv420p", make)
    luma = make(shallow.header.index).planes.luma
    assert np.array_equal(np.frombuffer(shallow.payload[0], np.uint8).reshape(luma.shape), luma // 4)
    assert "fused/yuv420p10le" not in stand.reader(stand.publisher(), "status").status().topics


def test_bgr_and_jpeg_show_the_picture_and_say_how(stand: Stand) -> None:
    publisher = stand.publisher()
    bgr = publish_until(publisher, stand.reader(publisher, "fused/bgr8"))
    expected = 255 * bgr_from_planes(fused(bgr.header.index).planes, fused(0).color)
    assert np.abs(np.frombuffer(bgr.payload[0], np.uint8).reshape(48, 64, 3) - expected).max() < 3
    assert (bgr.header.color.matrix, bgr.header.color.range, bgr.header.strides) == (0, "full", (192,))
    jpeg = publish_until(publisher, stand.reader(publisher, "fused/jpeg"))
    decoded = cv2.imdecode(np.frombuffer(jpeg.payload[0], np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    expected = 255 * bgr_from_planes(fused(jpeg.header.index).planes, fused(0).color)
    assert np.abs(decoded - expected).mean() < 6
    assert (jpeg.header.color.matrix, jpeg.header.color.range, jpeg.header.strides) == (5, "full", ())


@pytest.mark.parametrize(("encoding", "decoder"), [("h264", "h264"), ("h265", "hevc")])
def test_a_video_topic_can_be_joined_at_any_time(stand: Stand, encoding: Literal["h264", "h265"], decoder: str) -> None:
    def make(index: int) -> FusedFrame:
        return fused(index, width=127, height=95)

    publisher = stand.publisher(make(0), encodings=(encoding,), crf=10)
    first = stand.reader(publisher, f"fused/{encoding}")
    assert publish_until(publisher, first, make=make).header.key_frame
    publish_until(publisher, first, lambda message: not message.header.key_frame, make)
    joined = publish_until(publisher, stand.reader(publisher, f"fused/{encoding}"), make=make)
    assert joined.header.key_frame
    assert joined.header.seq > 0
    context = av.CodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    pictures = [*context.decode(av.Packet(bytes(joined.payload[0]))), *context.decode(None)]
    luma = pictures[0].to_ndarray()[: joined.header.height, : joined.header.width]
    assert np.abs(luma.astype(int) - make(joined.header.index).planes.luma).mean() < 8


def test_nothing_is_encoded_for_nobody(stand: Stand) -> None:
    publisher = stand.publisher()
    status = stand.reader(publisher, "status")
    index = 0
    while status.read(0.02) is None:
        list(publisher.process(fused(index)))
        index += 1
        assert index < 1000
    list(publisher.process(fused(index)))
    list(publisher.flush())
    while not (last := status.status()).ended:
        pass
    assert set(last.topics.values()) == {0}
    assert last.frame_rate == (RATE.numerator, RATE.denominator)
    assert last.captured == last.fused + last.dropped == index + 1
    publisher.close()
    assert sum(publisher.published.values()) == 0


def test_every_message_is_received_or_a_gap(stand: Stand) -> None:
    """A reader that does not read must not stop the pipeline, and afterwards must be able to tell what it missed."""

    def make(index: int) -> FusedFrame:
        return fused(index, width=1280, height=720)

    publisher = stand.publisher(make(0))
    reader = stand.reader(publisher, "fused/yuv420p", rcvhwm=2)
    first = publish_until(publisher, reader, make=make).header
    frame = make(0)
    for index in range(first.index + 1000, first.index + 1100):
        list(publisher.process(_numbered(frame, index)))
        time.sleep(0.002)
    list(publisher.flush())
    publisher.close()
    numbers = [first.seq]
    while isinstance(message := reader.read(0.5), PictureMessage):
        numbers.append(message.header.seq)
    assert numbers == sorted(set(numbers))
    published = publisher.published["fused/yuv420p"]
    assert len(numbers) < published
    assert numbers[-1] < published


def _numbered(frame: FusedFrame, index: int) -> FusedFrame:
    return FusedFrame(
        index, frame.planes, index, Fraction(1, 25), 1, frame.color, frame.sources, 3.0, time.time_ns(), time.time_ns()
    )


class SlowTopic(Topic):
    """Encodes nothing before it is told to, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("fused", "jpeg")
        self.seen: list[int] = []
        self.released = threading.Event()
        self.error = error

    def encode(self, material: Material, *, joined: bool) -> Encoded:
        self.seen.append(material.frame.index)
        assert self.released.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return Encoded([b"a picture"], (64, 48), UNSPECIFIED_COLOR)


@pytest.fixture
def sender(stand: Stand) -> Iterator[Callable[[Topic], tuple[Sender, Reader]]]:
    """Starts a sender with one topic, and a reader of it."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[Sender] = []

    def start(topic: Topic) -> tuple[Sender, Reader]:
        socket = context.socket(zmq.XPUB)
        reader = stand.reader(bind(socket, "tcp://127.0.0.1:*"), topic.name)
        socket.poll(int(PATIENCE_S * 1000))  # until the subscription is there
        made.append(Sender(socket, [topic], RATE))
        made[-1].start()
        return made[-1], reader

    yield start
    for sender in made:
        sender.stop(PATIENCE_S)
        assert sender.has_ended
    context.term()


def test_a_slow_encoder_gets_the_newest_frame_and_the_rest_is_accounted_for(
    sender: Callable[[Topic], tuple[Sender, Reader]],
) -> None:
    topic = SlowTopic()
    publisher, reader = sender(topic)
    publisher.offer(fused(0))
    while not topic.seen:
        time.sleep(0.001)
    for index in range(1, 10):
        publisher.offer(fused(index))
    topic.released.set()
    first, second = reader.picture().header, reader.picture().header
    assert (first.index, second.index) == (0, 9)
    assert (first.seq, second.seq) == (0, 1)
    assert (first.dropped, second.dropped) == (0, 8)


def test_the_last_frame_is_sent_before_the_stream_ends(sender: Callable[[Topic], tuple[Sender, Reader]]) -> None:
    topic = SlowTopic()
    topic.released.set()
    publisher, reader = sender(topic)
    reader.socket.subscribe("status")
    publisher.offer(fused(0))
    publisher.finish(PATIENCE_S)
    assert publisher.has_ended
    assert reader.picture().header.index == 0
    assert publisher.published == {"fused/jpeg": 1}


def test_an_encoder_that_fails_ends_the_run(sender: Callable[[Topic], tuple[Sender, Reader]]) -> None:
    topic = SlowTopic(EncodeError("publishing jpeg: no"))
    topic.released.set()
    publisher, _ = sender(topic)
    publisher.offer(fused(0))
    with pytest.raises(EncodeError, match="publishing jpeg: no"):
        publisher.finish(PATIENCE_S)
    with pytest.raises(EncodeError, match="publishing jpeg: no"):
        publisher.offer(fused(1))


def test_an_address_in_use_is_a_mistake_told_at_once(stand: Stand) -> None:
    taken = stand.publisher().address
    with pytest.raises(ConfigError, match=f"cannot listen on {taken}: Address already in use; choose"):
        stand.publisher(address=taken)


def test_ipc_serves_this_machine(stand: Stand, tmp_path: Path) -> None:
    publisher = stand.publisher(address=f"ipc://{tmp_path}/fused")
    publish_until(publisher, stand.reader(publisher, "fused/yuv420p"))


def test_a_run_that_was_given_up_lets_go_at_once(stand: Stand) -> None:
    publisher = stand.publisher()
    publish_until(publisher, stand.reader(publisher, "fused/"))
    publisher.close()
    stand.publisher(address=publisher.address)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_key_pair(tmp_path, "publisher")
    create_key_pair(tmp_path / "readers", "friend")
    create_key_pair(tmp_path, "stranger")
    return tmp_path


def curve(folder: Path, secret_key: str) -> dict[str, bytes]:
    pair = load_key_pair(folder / secret_key)
    server = load_public_key(folder / "publisher.key")
    return {"curve_serverkey": server, "curve_publickey": pair.public, "curve_secretkey": pair.secret}


def test_with_keys_only_those_on_the_list_read(stand: Stand, keys: Path) -> None:
    publisher = stand.publisher(keys=str(keys))
    stranger = stand.reader(publisher, "", **curve(keys, "stranger.key_secret"))
    nobody = stand.reader(publisher, "")
    friend = stand.reader(publisher, "", **curve(keys, "readers/friend.key_secret"))
    publish_until(publisher, friend)
    assert publish_until(publisher, friend).header.encoding
    assert nobody.read(0.1) is None
    assert stranger.read(0.1) is None


def test_a_reader_can_be_let_in_while_the_stream_runs(stand: Stand, keys: Path) -> None:
    publisher = stand.publisher(keys=str(keys))
    (keys / "stranger.key").rename(keys / "readers" / "stranger.key")
    publish_until(publisher, stand.reader(publisher, "fused/yuv420p", **curve(keys, "stranger.key_secret")))


def test_keys_that_are_missing_are_named_with_what_makes_them(stand: Stand, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"publishing\.keys: .*publisher\.key_secret.*`lumabraid keys new .*` makes"):
        stand.publisher(keys=str(tmp_path))
