"""What a frame was fused from: the topics of under, over and confidence beside those of the fused picture."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import av
import cv2
import lumabraid
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from lumabraid.wire import PictureMessage

from stages.frame import FusedFrame, Planes
from stages.publishing import topics
from stages.publishing.annexb import AnnexBEncoder
from stages.publishing.confidence import ConfidenceMap
from stages.publishing.material import PICTURES, Material, PictureName, Workspace
from stages.publishing.topics import Encoding, Topic, make_topics
from stages.publishing.zeromq import ZeroMqPublisher
from tests.publishing.conftest import PATIENCE_S, Reader, Stand, fused, fused_from, publish_until

ALL = (*(f"{picture}/yuv420p" for picture in PICTURES), "confidence/gray8")


def planes_of(frame: FusedFrame, picture: str) -> Planes:
    assert frame.aligned is not None
    return {"fused": frame.planes, "under": frame.aligned.under, "over": frame.aligned.over}[picture]


def pixels(message: PictureMessage, *shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(message.payload[0], np.uint8).reshape(shape)


def publish_one(publisher: ZeroMqPublisher, readers: Sequence[Reader], frame: FusedFrame) -> list[PictureMessage]:
    """What these readers, who are there already, get of it."""
    list(publisher.process(frame))
    return [reader.picture() for reader in readers]


def test_every_picture_has_its_topic_and_all_of_a_frame_the_same_index(stand: Stand) -> None:
    publisher = stand.publisher()
    readers = [stand.reader(publisher, topic) for topic in ALL]
    for reader in readers:
        publish_until(publisher, reader, make=fused_from)
    for reader in readers:
        while reader.read(0.05) is not None:
            pass
    frame = fused_from(10_000)
    assert frame.aligned is not None
    *pictures, trust = publish_one(publisher, readers, frame)
    for name, message in zip(PICTURES, pictures, strict=True):
        assert message.topic == f"{name}/yuv420p"
        expected = planes_of(frame, name)
        for plane, wanted in zip(message.payload, (expected.luma, *expected.chroma), strict=True):
            assert np.array_equal(np.frombuffer(plane, np.uint8).reshape(wanted.shape), wanted)
    assert np.array_equal(pixels(trust, 24, 32), np.rint(frame.aligned.confidence * 255))
    assert (trust.header.width, trust.header.height, trust.header.strides) == (32, 24, (32,))
    assert (trust.header.color.range, trust.header.color.matrix) == ("full", 2)
    for message in (*pictures, trust):
        assert (message.header.index, message.header.pts) == (frame.index, frame.pts)
        assert message.header.confidence == pytest.approx(frame.aligned.confidence.mean())


def test_the_aligned_exposures_come_in_every_encoding(stand: Stand) -> None:
    publisher = stand.publisher()
    expected = {f"{picture}/{encoding}" for picture in PICTURES for encoding in get_args(Encoding)}
    offered = set(stand.reader(publisher, "status").status().topics)
    assert offered == {*expected, "confidence/gray8"} - {f"{picture}/yuv420p10le" for picture in PICTURES}
    jpeg = publish_until(publisher, stand.reader(publisher, "under/jpeg"), make=fused_from)
    decoded = cv2.imdecode(np.frombuffer(jpeg.payload[0], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    luma = planes_of(fused_from(jpeg.header.index), "under").luma
    assert np.abs(decoded.astype(int) - (luma.astype(int) - 16) * 255 / 219).mean() < 4


def test_a_video_of_the_over_exposure_can_be_joined(stand: Stand) -> None:
    publisher = stand.publisher(crf=10)
    message = publish_until(publisher, stand.reader(publisher, "over/h264"), make=fused_from)
    assert message.header.key_frame
    context = av.CodecContext.create("h264", "r")
    assert isinstance(context, VideoCodecContext)
    shown = [*context.decode(av.Packet(bytes(message.payload[0]))), *context.decode(None)][0].to_ndarray()[:48]
    assert np.abs(shown.astype(int) - planes_of(fused_from(message.header.index), "over").luma).mean() < 8


def test_ten_bit_exposures_are_sent_as_they_are(stand: Stand) -> None:
    def make(index: int) -> FusedFrame:
        return fused_from(index, bit_depth=10)

    publisher = stand.publisher(make(0))
    message = publish_until(publisher, stand.reader(publisher, "under/yuv420p10le"), make=make)
    luma = planes_of(make(message.header.index), "under").luma
    assert np.array_equal(np.frombuffer(message.payload[0], np.uint16).reshape(luma.shape), luma)


def test_a_frame_from_elsewhere_is_the_fused_picture_alone(stand: Stand) -> None:
    def make(index: int) -> FusedFrame:
        return replace(fused(index), ratio_stops=None)

    publisher = stand.publisher()
    others = [stand.reader(publisher, topic) for topic in ALL[1:]]
    header = publish_until(publisher, stand.reader(publisher, "fused/yuv420p"), make=make).header
    assert (header.confidence, header.ratio_stops) == (None, None)
    assert [other.read(0.1) for other in others] == [None, None, None]
    assert {publisher.published[topic] for topic in ALL[1:]} == {0}


def test_our_own_subscriber_sees_the_map_as_a_view(stand: Stand) -> None:
    publisher = stand.publisher()
    assert publisher.address is not None
    with lumabraid.Subscriber(publisher.address, topic="confidence/gray8") as maps:
        deadline_s = time.monotonic() + PATIENCE_S
        for index in range(10_000):
            list(publisher.process(fused_from(index)))
            if maps.stats.received or time.monotonic() > deadline_s:
                break
            time.sleep(0.01)
        frame = maps.read(PATIENCE_S)
    aligned = fused_from(frame.header.index).aligned
    assert aligned is not None
    assert np.array_equal(frame.gray, np.rint(aligned.confidence * 255))
    assert np.shares_memory(frame.gray, np.frombuffer(frame.payload[0], np.uint8))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often something was encoded."""
    count: Counter[str] = Counter()
    encode_jpeg, encode_video = cv2.imencode, AnnexBEncoder.encode

    def counted_jpeg(*arguments: Any) -> Any:
        count["jpeg"] += 1
        return encode_jpeg(*arguments)

    def counted_video(*arguments: Any, **options: Any) -> Any:
        count["video"] += 1
        return encode_video(*arguments, **options)

    monkeypatch.setattr(topics.cv2, "imencode", counted_jpeg)
    monkeypatch.setattr(AnnexBEncoder, "encode", counted_video)
    return count


def test_each_is_encoded_once_for_all_its_readers_and_not_for_nobody(stand: Stand, counted: Counter[str]) -> None:
    publisher = stand.publisher()
    first, second, third = (stand.reader(publisher, topic) for topic in ("under/jpeg", "under/jpeg", "over/h264"))
    for reader in (first, second, third):
        publish_until(publisher, reader, make=fused_from)
    list(publisher.flush())  # what was published is encoded by now
    publisher.close()
    published = {topic: number for topic, number in publisher.published.items() if number}
    assert set(published) == {"under/jpeg", "over/h264"}
    assert (counted["jpeg"], counted["video"]) == (published["under/jpeg"], published["over/h264"])


class CountingReformatter:
    """Converts as the workspace's own does."""

    def __init__(self, workspace: Workspace) -> None:
        self._reformatter = workspace.reformatter
        self.calls = 0

    def reformat(self, *arguments: Any, **options: Any) -> VideoFrame:
        self.calls += 1
        return self._reformatter.reformat(*arguments, **options)


def topic(name: str) -> Topic:
    return {topic.name: topic for topic in make_topics(get_args(Encoding), jpeg_quality=95, crf=23)}[name]


def test_encodings_of_a_picture_share_what_they_start_from() -> None:
    workspace = Workspace()
    reformatter = CountingReformatter(workspace)
    workspace.reformatter = reformatter  # type: ignore[assignment]
    material = Material(fused_from(0, width=63, height=47), workspace)
    for name in ("bgr8", "jpeg", "h264", "h265"):
        assert topic(f"under/{name}").encode(material, joined=True) is not None
    assert reformatter.calls == 1
    assert material.pictures["under"].video_frame is material.pictures["under"].video_frame


def test_a_key_frame_asked_for_on_one_topic_is_none_on_another() -> None:
    workspace = Workspace()
    h264, h265 = topic("fused/h264"), topic("fused/h265")
    for index, joined in enumerate((True, False, True)):
        material = Material(fused_from(index), workspace)
        encoded = [h264.encode(material, joined=joined), h265.encode(material, joined=index == 0)]
    assert [one.key_frame for one in encoded if one is not None] == [True, False]


@pytest.mark.parametrize("picture", PICTURES)
def test_a_buffer_sent_already_is_not_another_pictures_while_its_frame_is_at_work(picture: PictureName) -> None:
    workspace = Workspace()
    for index in range(3):
        material = Material(fused_from(index), workspace)
        for name in PICTURES:
            sent = topic(f"{name}/bgr8").encode(material, joined=False)
            assert sent is not None
            del sent  # ZeroMQ is done with it at once
        jpeg = topic(f"{picture}/jpeg").encode(material, joined=False)
        assert jpeg is not None
        decoded = cv2.imdecode(np.frombuffer(jpeg.payload[0], np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        shown = material.pictures[picture].bgr.pixels.reshape(48, 64, 3)
        assert np.abs(decoded.astype(int) - shown).mean() < 3
        luma = planes_of(material.frame, picture).luma.astype(int)
        assert np.abs(shown[..., 1] - (luma - 16) * 255 / 219).mean() < 10


def test_memory_is_used_again_from_frame_to_frame() -> None:
    workspace = Workspace()
    buffers: set[int] = set()
    for index in range(20):
        confidence = Material(fused_from(index), workspace).confidence
        assert confidence is not None
        message = confidence.gray.message()
        buffers.add(confidence.gray.pixels.ctypes.data)
        tracker = message.tracker
        del message
        assert tracker is not None
        tracker.wait(PATIENCE_S)
    assert len(buffers) <= 2


@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_a_map_is_rounded_whatever_its_layout(steps: tuple[int, int]) -> None:
    values = np.linspace(0, 1, 40 * 60, dtype=np.float32).reshape(40, 60)[:: steps[0], :: steps[1]]
    confidence = ConfidenceMap(values, Workspace().rings["confidence"])
    assert confidence.size == values.shape[::-1]
    assert np.abs(confidence.gray.pixels.reshape(values.shape) - values * 255).max() <= 0.5 + 1e-4
    assert confidence.mean == pytest.approx(values.mean())


def test_full_confidence_is_one_exactly() -> None:
    assert ConfidenceMap(np.ones((135, 241), np.float32), Workspace().rings["confidence"]).mean == 1.0
