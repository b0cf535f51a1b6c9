"""Encoding on a GPU: what it is told, when it is taken, and what happens where there is none."""

import functools
import logging
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from stages.encoding import hardware
from stages.encoding.avframe import FrameMaker
from stages.encoding.codecs import CODECS
from stages.encoding.hardware import NVENC, HardwareEncoding, Picture, nvenc_options, try_encoder
from stages.encoding.segments import SegmentConfig
from stages.encoding.video import VideoConfig
from stages.frame import BT709, ColorRange, ColorTags
from tests.encoding.recording import gray_frames, recorder

HD = Picture(1920, 1080, 8, Fraction(30))
HDR = ColorTags(matrix=9, range=ColorRange.LIMITED, primaries=9, transfer=16)
LEAST_PSNR_DB = 27
"""Of luma; less than this is another picture, not a coarser one."""


def why_not(name):
    return try_encoder(NVENC[name], nvenc_options(name, None, None), Picture(320, 240, 8, Fraction(25)))


def needs_gpu(name):
    """What NVENC makes on some GPUs and not on others."""
    if reason := why_not(name):
        pytest.skip(f"{NVENC[name].encoder} cannot be had: {reason}")


@pytest.fixture
def said(caplog):
    """What a person is told."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def encoding(name="h264", *, crf=None, preset=None, hardware="auto", reason=None):
    """Hardware encoding with a stand-in for NVENC, and what was tried."""
    tried = []

    def trial(codec, options, picture):
        tried.append((codec.encoder, picture))
        return reason

    return HardwareEncoding(name, crf, preset, hardware, trial), tried


@pytest.mark.parametrize(
    ("name", "crf", "preset", "expected"),
    [
        ("h264", None, None, {"rc": "vbr", "b": "0", "cq": "18", "preset": "p5", "profile": "high"}),
        ("h264", 23, "veryfast", {"rc": "vbr", "b": "0", "cq": "23", "preset": "p2", "profile": "high"}),
        ("h265", None, "medium", {"rc": "vbr", "b": "0", "cq": "20", "preset": "p5"}),
        ("h265", 51, "placebo", {"rc": "vbr", "b": "0", "cq": "51", "preset": "p7"}),
        ("av1", None, 8, {"rc": "vbr", "b": "0", "cq": "25", "preset": "p4"}),
        ("av1", 63, "12", {"rc": "vbr", "b": "0", "cq": "63", "preset": "p1"}),
    ],
)
def test_quality_and_preset_have_their_counterparts(name, crf, preset, expected):
    assert nvenc_options(name, crf, preset) == expected


@pytest.mark.parametrize("name", NVENC)
def test_slower_presets_are_never_faster_ones_there(name):
    presets = [nvenc_options(name, None, preset)["preset"] for preset in NVENC[name].presets]
    ordered = presets if name != "av1" else presets[::-1]
    assert ordered == sorted(presets)
    assert set(presets) == {f"p{number}" for number in range(1, 8)}


@pytest.mark.parametrize("name", NVENC)
def test_ffmpeg_knows_everything_that_nvenc_is_told(name):
    codec = NVENC[name]
    context = av.CodecContext.create(codec.encoder, "w")
    known = {option.name: option for option in context.supported_options.private}
    generic = {option.name for option in context.supported_options.generic}
    for preset in (None, *codec.presets):
        for key, value in {**nvenc_options(name, codec.max_crf, preset), **codec.low_delay_options}.items():
            if key in generic:
                continue
            choices = {choice.name for choice in known[key].choices}
            assert value in choices if choices else known[key].min <= float(value) <= known[key].max
    formats = {format.name for format in context.codec.video_formats}
    assert set(codec.pixel_formats.values()) <= formats


def test_nvenc_makes_what_the_software_encoder_makes():
    for name, codec in NVENC.items():
        software = CODECS[name]
        assert (codec.title, codec.suffixes, codec.tag, codec.max_crf) == (
            software.title,
            software.suffixes,
            software.tag,
            software.max_crf,
        )


def test_ten_bit_is_handed_over_in_the_upper_bits(fused_frames):
    [frame] = fused_frames(1, size=(66, 50), bit_depth=10)
    made = FrameMaker("p010le", BT709).make(frame.planes, BT709, pts=0, duration=1, time_base=Fraction(1, 25))
    luma, pairs = (
        np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)[:, : plane.width * samples]
        for plane, samples in zip(made.planes, (1, 2), strict=True)
    )
    assert np.array_equal(luma >> 6, frame.planes.luma)
    assert np.array_equal(pairs[:, 0::2] >> 6, frame.planes.chroma[0])
    assert np.array_equal(pairs[:, 1::2] >> 6, frame.planes.chroma[1])


def test_nothing_is_tried_unless_asked_for(said):
    encoders, tried = encoding(hardware="none", reason="never heard")
    assert encoders.encoder_for(HD, "out.mp4") is None
    assert (tried, said()) == ([], [])


def test_an_encoder_that_works_is_taken_and_tried_once_for_each_kind_of_picture(said):
    encoders, tried = encoding("h265", crf=22, preset="slow")
    small = replace(HD, width=640, height=480)
    for picture in (HD, HD, small, HD):
        assert encoders.encoder_for(picture, "out.mp4") == (NVENC["h265"], nvenc_options("h265", 22, "slow"))
    assert tried == [("hevc_nvenc", HD), ("hevc_nvenc", small)]
    assert said() == []


def test_one_that_does_not_is_told_once_and_replaced_for_good(said):
    encoders, tried = encoding("av1", crf=30, preset=10, reason="No capable devices found")
    for _ in range(3):
        assert encoders.encoder_for(HD, "out.mkv") is None
    assert tried == [("av1_nvenc", HD)]
    assert said() == ["out.mkv: encoding in software (libsvtav1), not by NVENC: No capable devices found"]


@pytest.mark.parametrize(
    ("name", "crf", "picture", "reason"),
    [
        ("h264", None, replace(HD, width=1919), "h264_nvenc takes even sizes alone, not 1919x1080"),
        ("av1", None, replace(HD, height=1079), "av1_nvenc takes even sizes alone, not 1920x1079"),
        ("h264", None, replace(HD, bit_depth=10), "h264_nvenc has no 10 bit"),
        ("h264", 0, HD, "h264_nvenc has nothing like crf 0"),
        ("ffv1", None, HD, "it has no FFV1"),
        ("prores", None, replace(HD, bit_depth=10), "it has no ProRes"),
    ],
)
def test_what_it_cannot_do_is_not_tried(said, name, crf, picture, reason):
    encoders, tried = encoding(name, crf=crf)
    assert encoders.encoder_for(picture, "out") is None
    assert tried == []
    assert said() == [f"out: encoding in software ({CODECS[name].encoder}), not by NVENC: {reason}"]


def test_a_trial_tells_what_is_wrong_in_words_that_help():
    reason = why_not("h264")
    if reason is None:
        pytest.skip("NVENC works here")
    assert "Operation not permitted" not in reason


def test_a_trial_encodes_a_picture():
    works = replace(NVENC["h264"], encoder="libx264")
    assert try_encoder(works, {"preset": "ultrafast"}, replace(HD, width=64, height=48)) is None
    assert try_encoder(works, {"preset": "p9"}, HD) is not None


def test_a_video_is_the_same_where_there_is_no_gpu(tmp_path, fused_frames, encode, monkeypatch, said):
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: "Cannot load libcuda.so.1")
    # Smaller ones x264 does not encode the same way every time.
    frames = fused_frames(size=(64, 64))
    encode(tmp_path / "auto.mp4", frames, hardware="auto")
    encode(tmp_path / "none.mp4", frames, hardware="none")
    assert (tmp_path / "auto.mp4").read_bytes() == (tmp_path / "none.mp4").read_bytes()
    assert said() == ["auto.mp4: encoding in software (libx264), not by NVENC: Cannot load libcuda.so.1"]


def test_a_video_is_encoded_by_what_was_found(tmp_path, fused_frames, encode, monkeypatch, said):
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: None)
    monkeypatch.setattr(hardware, "nvenc_options", lambda *_: {"qp": "51"})
    monkeypatch.setattr(hardware, "NVENC", {"h264": replace(NVENC["h264"], encoder="libx264")})
    frames = fused_frames()
    encode(tmp_path / "auto.mp4", frames, hardware="auto")
    encode(tmp_path / "none.mp4", frames)
    assert (tmp_path / "auto.mp4").stat().st_size < (tmp_path / "none.mp4").stat().st_size / 2
    assert said() == []


def test_a_recording_says_once_for_all_segments_why_software_encodes(tmp_path, info_of, monkeypatch, said):
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: "no GPU")
    frames = list(gray_frames(60))
    with recorder(tmp_path / "rec", info_of(frames), segment_s=1, hardware="auto") as opened:
        for frame in frames:
            list(opened.process(frame))
        list(opened.flush())
    assert len(list((tmp_path / "rec").iterdir())) > 1
    assert said() == ["rec: encoding in software (libx264), not by NVENC: no GPU"]


@pytest.mark.parametrize(
    "make", [functools.partial(VideoConfig, output="out.mp4"), functools.partial(SegmentConfig, folder="rec")]
)
def test_both_outputs_have_the_same_setting(make):
    assert make().hardware == "none"
    assert make(hardware="auto").hardware == "auto"


@pytest.mark.parametrize(
    ("name", "suffix", "bit_depth"),
    [
        ("h264", ".mp4", 8),
        ("h264", ".mkv", 8),
        ("h265", ".mp4", 8),
        ("h265", ".mov", 10),
        ("av1", ".mp4", 8),
        ("av1", ".webm", 10),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_nvenc_keeps_frames_times_and_tags(tmp_path, fused_frames, encode, said, name, suffix, bit_depth, count):
    needs_gpu(name)
    output = tmp_path / f"out{suffix}"
    frames = fused_frames(
        count,
        size=(322, 242),
        bit_depth=bit_depth,
        start=4507,
        durations=(3000, 4501, 1777),
        time_base=Fraction(1, 90000),
        color=HDR,
    )
    encode(output, frames, codec=name, hardware="auto")
    with av.open(str(output)) as container:
        decoded = list(container.decode(video=0))
    assert said() == []
    tolerance_s = Fraction(1, 2000) if suffix in (".mkv", ".webm") else 0
    for got, sent in zip(decoded, frames, strict=True):
        assert abs(got.pts * got.time_base - sent.pts * sent.time_base) <= tolerance_s
        assert (got.colorspace, got.color_range, got.color_primaries, got.color_trc) == (9, 1, 9, 16)
        assert got.format.name == ("yuv420p" if bit_depth == 8 else "yuv420p10le")
        luma = got.to_ndarray()[:242, :322].astype(float)
        peak = (1 << bit_depth) - 1
        assert 10 * np.log10(peak**2 / np.mean((luma - sent.planes.luma) ** 2)) > LEAST_PSNR_DB


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_nvenc_holds_no_frame_of_a_recording_back(tmp_path, info_of, fused_frames, codec):
    needs_gpu(codec)
    frames = fused_frames(60, size=(320, 240))
    with recorder(tmp_path / "rec", info_of(frames), codec=codec, hardware="auto") as opened:
        for frame in frames:
            list(opened.process(frame))
        list(opened.flush())
    [segment] = (tmp_path / "rec").iterdir()
    with av.open(str(segment)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.pts for packet in packets] == sorted(packet.pts for packet in packets)
    assert Counter(packet.dts - packet.pts for packet in packets) == {0: 60}
