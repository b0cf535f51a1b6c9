"""A video file: frames, times, tags, codecs, sizes."""

import os
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from stages.encoding.video import VideoConfig
from stages.errors import ConfigError, EncodeError
from stages.frame import BT709, ColorRange, ColorTags

HDR = ColorTags(matrix=9, range=ColorRange.LIMITED, primaries=9, transfer=16)
FULL = ColorTags(matrix=5, range=ColorRange.FULL, primaries=5, transfer=6)


def decode(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times_s(frames):
    return [frame.pts * frame.time_base for frame in frames]


def planes_of(frame):
    """Every plane of a decoded frame, without the padding of its rows."""
    dtype = np.uint16 if "10" in frame.format.name else np.uint8
    rows = [
        np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
        for plane in frame.planes
    ]
    return [pixels[: plane.height, : plane.width] for pixels, plane in zip(rows, frame.planes, strict=True)]


@pytest.mark.parametrize(
    ("codec", "suffix", "bit_depth", "pixel_format"),
    [
        ("h264", ".mp4", 8, "yuv420p"),
        ("h264", ".mkv", 10, "yuv420p"),
        ("h265", ".mp4", 8, "yuv420p"),
        ("h265", ".mov", 10, "yuv420p10le"),
        ("av1", ".mp4", 8, "yuv420p"),
        ("av1", ".webm", 10, "yuv420p10le"),
        ("ffv1", ".mkv", 8, "yuv420p"),
        ("ffv1", ".mkv", 10, "yuv420p10le"),
        ("prores", ".mov", 8, "yuv422p10le"),
        ("prores", ".mkv", 10, "yuv422p10le"),
    ],
)
def test_every_codec_keeps_frames_times_and_tags(
    tmp_path, fused_frames, encode, codec, suffix, bit_depth, pixel_format
):
    output = tmp_path / f"out{suffix}"
    # A late start and a variable frame rate.
    frames = fused_frames(
        bit_depth=bit_depth, start=4507, durations=(3000, 4501, 1777), time_base=Fraction(1, 90000), color=HDR
    )
    encode(output, frames, codec=codec)

    decoded = decode(output)
    assert decoded[0].format.name == pixel_format
    tolerance_s = Fraction(1, 2000) if suffix in (".mkv", ".webm") else 0
    assert len(decoded) == len(frames)
    for got, sent in zip(times_s(decoded), times_s(frames), strict=True):
        assert abs(got - sent) <= tolerance_s
    for frame in decoded:
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (9, 1, 9, 16)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h264", ".mp4"), ("h264", ".mkv"), ("h265", ".mp4"), ("h265", ".mov"), ("h265", ".mkv"), ("av1", ".mp4")],
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_videos_are_complete(tmp_path, fused_frames, encode, codec, suffix, count):
    frames = fused_frames(count)
    encode(tmp_path / f"out{suffix}", frames, codec=codec)
    assert times_s(decode(tmp_path / f"out{suffix}")) == times_s(frames)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_time_base_is_the_input_s_and_the_last_frame_keeps_its_duration(tmp_path, fused_frames, encode, suffix):
    frames = fused_frames(start=1501, durations=(3003,) * 11 + (9000,), time_base=Fraction(1, 90000))
    encode(tmp_path / f"out{suffix}", frames)

    with av.open(str(tmp_path / f"out{suffix}")) as container:
        stream = container.streams.video[0]
        assert stream.time_base == Fraction(1, 90000)
        assert [frame.pts for frame in container.decode(stream)] == [frame.pts for frame in frames]
        assert stream.duration == sum(frame.duration for frame in frames)


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
@pytest.mark.parametrize("count", [8, 9])
def test_b_frames_at_the_end_of_many_fragments_are_not_lost(tmp_path, fused_frames, encode, codec, count):
    frames = fused_frames(count, durations=(1,), time_base=Fraction(1))
    encode(tmp_path / "out.mp4", frames, codec=codec, info={"frame_rate": Fraction(1)})
    assert times_s(decode(tmp_path / "out.mp4")) == times_s(frames)


def test_an_unknown_duration_is_the_interval_before(tmp_path, fused_frames, encode):
    frames = [replace(frame, duration=0) for frame in fused_frames(4, durations=(3,), time_base=Fraction(1))]
    encode(tmp_path / "out.mp4", frames)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert [frame.pts for frame in container.decode(stream)] == [0, 3, 6, 9]
        assert stream.duration == 12


def test_a_video_that_starts_before_zero_loses_no_frame(tmp_path, fused_frames, encode):
    frames = fused_frames(start=-1024)
    encode(tmp_path / "out.mp4", frames)
    assert times_s(decode(tmp_path / "out.mp4")) == [time + Fraction(1024, 12800) for time in times_s(frames)]


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_ffv1_is_bit_exact(tmp_path, fused_frames, encode, bit_depth, size):
    frames = fused_frames(4, size=size, bit_depth=bit_depth, color=FULL)
    encode(tmp_path / "out.mkv", frames, codec="ffv1")
    for got, sent in zip(decode(tmp_path / "out.mkv"), frames, strict=True):
        for plane, expected in zip(planes_of(got), (sent.planes.luma, *sent.planes.chroma), strict=True):
            np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("color", [BT709, FULL])
def test_ten_bits_become_eight_by_rounding(tmp_path, fused_frames, encode, color):
    frames = fused_frames(2, bit_depth=10, color=color)
    encode(tmp_path / "out.mkv", frames, codec="ffv1", bit_depth=8)
    for got, sent in zip(decode(tmp_path / "out.mkv"), frames, strict=True):
        scale = 1023 / 255 if color.is_full_range else 4
        for plane, expected in zip(planes_of(got), (sent.planes.luma, *sent.planes.chroma), strict=True):
            error = plane - expected / scale
            assert np.abs(error).max() < 1.5
            assert abs(error.mean()) < 0.5


def test_full_range_becomes_limited_in_prores(tmp_path, fused_frames, encode):
    frames = fused_frames(2, color=FULL)
    encode(tmp_path / "out.mov", frames, codec="prores")
    got = decode(tmp_path / "out.mov")[0]
    assert got.color_range == 1
    expected = (frames[0].planes.luma * (219 / 255) + 16) * 4
    assert abs((planes_of(got)[0] - expected).mean()) < 2


@pytest.mark.parametrize(
    ("codec", "suffix", "pixel_format"),
    [
        ("h264", ".mp4", "yuv444p"),
        ("h265", ".mp4", "yuv444p"),
        ("av1", ".mp4", "yuv420p"),
        ("prores", ".mov", "yuv422p10le"),
    ],
)
def test_odd_sizes_keep_their_size(tmp_path, fused_frames, encode, codec, suffix, pixel_format):
    output = tmp_path / f"out{suffix}"
    encode(output, fused_frames(3, size=(63, 47)), codec=codec)
    frame = decode(output)[0]
    assert (frame.width, frame.height, frame.format.name) == (63, 47, pixel_format)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rotation_and_pixel_aspect_are_carried_over(tmp_path, fused_frames, encode, suffix):
    output = tmp_path / f"out{suffix}"
    encode(output, fused_frames(3), info={"rotation_deg": 270, "sample_aspect_ratio": Fraction(4, 3)})
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation % 360 == 270
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_encoders_are_silent(tmp_path, fused_frames, encode, capfd):
    encode(tmp_path / "out.mp4", fused_frames(3))
    encode(tmp_path / "out.mkv", fused_frames(3), codec="h265")
    encode(tmp_path / "out.webm", fused_frames(3), codec="av1")
    assert capfd.readouterr() == ("", "")


def test_a_change_of_size_is_an_error(tmp_path, fused_frames, encode):
    frames = [*fused_frames(2), *fused_frames(1, size=(32, 48), start=5000)]
    with pytest.raises(EncodeError, match="is 32x48 8 bit, the video 64x48 8 bit"):
        encode(tmp_path / "out.mp4", frames)


def test_time_that_stands_still_is_an_error(tmp_path, fused_frames, encode):
    with pytest.raises(EncodeError, match="not after the frame before"):
        encode(tmp_path / "out.mp4", fused_frames(durations=(0,)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "out.gif"}, "must end in .mp4"),
        ({"output": "out"}, "no extension"),
        ({"output": "out.mp4", "codec": "prores"}, "does not hold ProRes; use .mov, .mkv"),
        ({"output": "out.webm"}, "does not hold H.264.*: av1"),
        ({"output": "out.mov", "codec": "prores", "bit_depth": 8}, "use 10"),
        ({"output": "out.mp4", "crf": 52}, "0 to 51, got 52"),
        ({"output": "out.mkv", "codec": "ffv1", "crf": 20}, "means nothing to FFV1"),
        ({"output": "out.mp4", "preset": "warp"}, "'warp' is unknown to H.264"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VideoConfig(**settings)


def test_presets_of_av1_may_be_numbers(tmp_path, fused_frames, encode):
    encode(tmp_path / "out.webm", fused_frames(2), codec="av1", preset=0)
    assert len(decode(tmp_path / "out.webm")) == 2


def test_an_encoder_that_refuses_leaves_nothing_behind(tmp_path, fused_frames, encode):
    with pytest.raises(EncodeError, match=r"cannot start H\.265 with 8x8"):
        encode(tmp_path / "out.mp4", fused_frames(2, size=(8, 8)), codec="h265")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused_before_any_work(tmp_path, fused_frames, encode):
    with pytest.raises(ConfigError, match="does not exist; create it"):
        encode(tmp_path / "missing" / "out.mp4", fused_frames(1))


def x264_settings(path):
    """What x264 says of its settings in the stream itself."""
    said = path.read_bytes().partition(b"x264 - core")[2].partition(b"\0")[0].decode("ascii", "replace")
    return dict(setting.split("=") for setting in said.partition("options: ")[2].split() if "=" in setting)


def test_the_default_preset_is_tuned_to_hold_few_frames_and_one_that_is_named_is_not(tmp_path, fused_frames, encode):
    frames = fused_frames(size=(64, 512))
    encode(tmp_path / "default.mp4", frames)
    encode(tmp_path / "named.mp4", frames, preset="veryfast")

    names = ("rc_lookahead", "bframes", "b_pyramid", "crf")
    tuned, plain = (x264_settings(tmp_path / f"{name}.mp4") for name in ("default", "named"))
    assert [tuned[name] for name in names] == ["5", "2", "0", "18.0"]
    assert [plain[name] for name in names] == ["10", "3", "2", "18.0"]
    assert plain["sliced_threads"] == "0"
    assert tuned["sliced_threads"] == "1" or (os.cpu_count() or 1) == 1
