"""Decoding on a GPU: what comes of it, and what happens where there is none. A stand-in plays the GPU."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stages.capture import connection, hardware, videofile
from stages.capture.connection import Connection
from stages.capture.container import open_container
from stages.capture.decoder import Decoder
from stages.capture.file import FileConfig, FileSource
from stages.capture.hardware import HardwareDecoding, Nvdec, try_decoding
from stages.capture.locate import Location, locate
from stages.capture.stream import StreamConfig
from stages.errors import SourceError
from stages.frame import Frame
from tests.capture.clips import noise, semi_planar, write_clip

NO_GPU = Nvdec().refusal()
needs_gpu = pytest.mark.skipif(NO_GPU is not None, reason=f"NVDEC cannot be had: {NO_GPU}")


class Gpu:
    """A stand-in: containers are opened in software, and what was opened for it may become its own."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """Why it cannot be had."""
        self.has_decoder = True
        """Whether FFmpeg's decoder could use it."""
        self.works = True
        """Whether it decodes the stream."""
        self.is_mute = False
        """Whether nothing comes of what is opened for it."""
        self.opened: list[str] = []
        """What every container was opened for."""

    def refusal(self) -> str | None:
        return self.reason

    def accelerator(self) -> HWAccel:
        return HWAccel("cuda")

    def takes(self, stream: VideoStream) -> bool:
        return self.has_decoder

    def decoded(self, stream: VideoStream) -> bool:
        return self.has_decoder and self.works


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """What takes the place of NVDEC."""
    device = Gpu()

    def watched(location: Location, *, accelerator: HWAccel | None, **settings: Any) -> InputContainer:
        device.opened.append("software" if accelerator is None else "gpu")
        return open_container(location, **settings)

    class GpuDecoder(Decoder):
        def frames(self) -> Iterator[VideoFrame]:
            if device.opened[-1] == "software" or not device.decoded(self.stream):
                return super().frames()
            return iter(()) if device.is_mute else map(semi_planar, super().frames())

    for module in (videofile, connection):
        monkeypatch.setattr(module, "open_container", watched)
        monkeypatch.setattr(module, "Decoder", GpuDecoder)
    monkeypatch.setattr(hardware, "Nvdec", lambda: device)
    return device


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What a person is told."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def read(path: Path, **settings: Any) -> list[Frame]:
    source = FileSource(FileConfig(input=str(path), **settings))
    try:
        source.open()
        return list(iter(source.read, None))
    finally:
        source.close()


def assert_same(frames: Sequence[Frame], expected: Sequence[Frame]) -> None:
    assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
    for frame, other in zip(frames, expected, strict=True):
        assert frame.color == other.color
        assert np.array_equal(frame.planes.luma, other.planes.luma)
        assert np.array_equal(frame.planes.chroma, other.planes.chroma)


def test_nothing_is_tried_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    def never() -> str | None:
        raise AssertionError("NVDEC was tried")

    monkeypatch.setattr(Nvdec, "refusal", staticmethod(never))
    assert len(read(write_clip(tmp_path / "clip.mkv", noise(3)))) == 3
    assert said() == []


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_gpu_gives_the_same_frames(
    tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]], pixel_format: str
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5, pixel_format=pixel_format), pixel_format=pixel_format)
    assert_same(read(clip, hardware="auto"), read(clip))
    assert gpu.opened == ["gpu", "software"]
    assert said() == []


def test_without_a_gpu_one_line_says_why_and_software_decodes(
    tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5))
    gpu.reason = "Cannot load libcuda.so.1"
    assert_same(read(clip, hardware="auto"), read(clip))
    assert gpu.opened == ["software", "software"]
    assert said() == [f"{clip}: decoding in software, not by NVDEC: Cannot load libcuda.so.1"]


def test_a_loop_tries_and_says_it_once(tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]) -> None:
    gpu.reason = "no device"
    source = FileSource(FileConfig(input=str(write_clip(tmp_path / "clip.mkv", noise(2))), hardware="auto", loop=True))
    try:
        source.open()
        assert [frame.index for frame in (source.read() for _ in range(6)) if frame] == [*range(6)]
    finally:
        source.close()
    assert len(said()) == 1


def test_a_stream_that_the_gpu_refuses_is_opened_again_in_software(
    tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", noise(5, pixel_format="yuv444p"), pixel_format="yuv444p", codec="libx264")
    gpu.works = False
    assert_same(read(clip, hardware="auto"), read(clip))
    assert gpu.opened == ["gpu", "software", "software"]
    assert said() == [
        f"{clip}: decoding in software, not by NVDEC: it does not decode this h264 (High 4:4:4 Predictive)"
    ]


def test_so_is_one_of_which_nothing_decodes_on_it(tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5))
    gpu.is_mute = True
    assert_same(read(clip, hardware="auto"), read(clip))
    assert len(said()) == 1


def test_a_decoder_that_knows_no_gpu_goes_on_as_it_is(tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5))
    gpu.has_decoder = False
    assert_same(read(clip, hardware="auto"), read(clip))
    assert gpu.opened == ["gpu", "software"]
    assert said() == [f"{clip}: decoding in software, not by NVDEC: the decoder ffv1 does not use it"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_opened_again(tmp_path: Path, gpu: Gpu) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    writer.start()
    gpu.works = False
    assert len(read(pipe, hardware="auto")) == 5
    assert gpu.opened == ["gpu"]
    writer.join(5)


def test_what_decodes_nowhere_is_an_error_as_ever(tmp_path: Path, gpu: Gpu) -> None:
    clip = write_clip(tmp_path / "clip.mp4", noise(2), codec="libx264")
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 2000] = bytes(2000)
    clip.write_bytes(data)
    gpu.works = False
    with pytest.raises(SourceError, match="no picture in it can be decoded"):
        read(clip, hardware="auto")


def connect(path: Path, decoding: HardwareDecoding) -> list[Frame]:
    """What one connection to a live source gives."""
    source = Connection(
        locate(str(path)), stream=None, open_timeout_s=5, read_timeout_s=5, options={}, hardware=decoding
    )
    try:
        source.open()
        return list(iter(source.read, None))
    finally:
        source.close()


def test_a_live_stream_is_decoded_on_it_too(tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", noise(5))
    assert_same(connect(clip, HardwareDecoding("auto", "camera")), read(clip))
    assert gpu.opened == ["gpu", "software"]
    assert said() == []


def test_a_live_stream_goes_on_where_the_gpu_refuses_it(
    tmp_path: Path, gpu: Gpu, said: Callable[[], list[str]]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", noise(5), codec="libx264")
    gpu.works = False
    decoding = HardwareDecoding("auto", "camera")
    for _ in range(2):
        assert_same(connect(clip, decoding), read(clip))
    assert gpu.opened == ["gpu", "software", "software", "software"]
    assert said() == ["camera: decoding in software, not by NVDEC: it does not decode this h264 (High)"]


@pytest.mark.parametrize(
    ("make", "settings"),
    [(FileConfig, {"input": "clip.mp4"}), (StreamConfig, {"input": "rtsp://camera/stream"})],
)
def test_both_sources_have_the_same_setting(make: Callable[..., Any], settings: dict[str, str]) -> None:
    assert make(**settings).hardware == "none"
    assert make(**settings, hardware="auto").hardware == "auto"


@pytest.mark.skipif(NO_GPU is None, reason="there is a GPU")
def test_the_reason_is_in_words_that_help() -> None:
    assert NO_GPU is not None
    assert "Operation not permitted" not in NO_GPU


@needs_gpu
@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("libx264", "yuv420p"), ("libx265", "yuv420p"), ("libx265", "yuv420p10le")]
)
def test_nvdec_decodes_bit_by_bit_what_software_does(
    tmp_path: Path, said: Callable[[], list[str]], codec: str, pixel_format: str
) -> None:
    pictures = noise(40, pixel_format=pixel_format, width=322, height=242)
    clip = write_clip(tmp_path / "clip.mp4", pictures, pixel_format=pixel_format, codec=codec, options={"bf": "2"})
    assert try_decoding(str(clip)) is None
    assert_same(read(clip, hardware="auto"), read(clip))
    assert said() == []
