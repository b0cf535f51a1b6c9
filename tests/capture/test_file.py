from __future__ import annotations

import functools
import http.server
import socket
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest
from av.video.stream import VideoStream

from stages.capture.file import FileConfig, FileSource
from stages.capture.planes import PlaneReader
from stages.color import planes_from_bgr
from stages.errors import SourceError
from stages.frame import ColorRange, ColorTags, Frame, StreamInfo
from tests.capture.clips import B_FRAMES_H264, LOSSLESS_H264, flat, noise, to_frame, write_clip


def read_all(path: Path | str, **settings: Any) -> tuple[StreamInfo, list[Frame]]:
    source = FileSource(FileConfig(input=str(path), **settings))
    try:
        info = source.open()
        return info, list(iter(source.read, None))
    finally:
        source.close()


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (2, 2)])
@pytest.mark.parametrize(("pixel_format", "bit_depth"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_planar_420_comes_through_bit_exact(
    tmp_path: Path, pixel_format: str, bit_depth: int, size: tuple[int, int]
) -> None:
    pictures = noise(3, pixel_format=pixel_format, width=size[0], height=size[1])
    info, frames = read_all(write_clip(tmp_path / "clip.mkv", pictures, pixel_format=pixel_format))
    assert (info.width, info.height, info.bit_depth) == (*size, bit_depth)
    assert len(frames) == len(pictures)
    for frame, (luma, *chroma) in zip(frames, pictures, strict=True):
        assert np.array_equal(frame.planes.luma, luma)
        assert np.array_equal(frame.planes.chroma, chroma)
        assert frame.planes.luma.flags.c_contiguous


def test_ten_bits_that_hold_more_are_taken_for_the_most_they_can_hold() -> None:
    stored = [plane.copy() for plane in noise(1, pixel_format="yuv420p10le")[0]]
    for plane in stored:
        plane[3:5, 2:7] = 65534
    picture = to_frame(stored, "yuv420p10le")
    planes = PlaneReader(picture).read(picture)
    for plane, source in zip((planes.luma, *planes.chroma), stored, strict=True):
        assert np.array_equal(plane, np.minimum(source, 1023))


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv422p10le", "yuv444p10le"])
def test_finer_chroma_is_averaged_and_luma_is_left_alone(tmp_path: Path, pixel_format: str) -> None:
    pictures = noise(1, pixel_format=pixel_format)
    _, [frame] = read_all(write_clip(tmp_path / "clip.mkv", pictures, pixel_format=pixel_format))
    luma, *chroma = pictures[0]
    assert np.array_equal(frame.planes.luma, luma)
    across = chroma[0].shape[1] // 32
    averages = [plane.reshape(24, 2, 32, across).mean(axis=(1, 3)) for plane in chroma]
    assert np.abs(frame.planes.chroma - averages).max() <= 1


def test_more_than_ten_bits_are_rounded_to_ten(tmp_path: Path) -> None:
    pictures = noise(1, pixel_format="yuv420p12le")
    _, [frame] = read_all(write_clip(tmp_path / "clip.mkv", pictures, pixel_format="yuv420p12le"))
    assert frame.planes.bit_depth == 10
    assert np.abs(frame.planes.luma - pictures[0][0] / 4).max() <= 1


@pytest.mark.parametrize(("pixel_format", "neutral"), [("gray", 128), ("gray10le", 512)])
def test_gray_keeps_its_code_values_and_counts_as_full_range(tmp_path: Path, pixel_format: str, neutral: int) -> None:
    pictures = noise(1, pixel_format=pixel_format, width=65, height=49)
    info, [frame] = read_all(write_clip(tmp_path / "clip.mkv", pictures, pixel_format=pixel_format))
    assert np.array_equal(frame.planes.luma, pictures[0][0])
    assert np.all(frame.planes.chroma == neutral)
    assert info.color.range is ColorRange.FULL


def test_rgb_becomes_bt709_in_full_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bgr = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (64, 48), interpolation=cv2.INTER_LINEAR)
    blue, green, red = cv2.split(bgr)
    info, [frame] = read_all(
        write_clip(tmp_path / "clip.avi", [[green, blue, red]], pixel_format="gbrp", codec="utvideo")
    )
    assert (info.color.matrix, info.color.range) == (1, ColorRange.FULL)
    expected = planes_from_bgr((bgr / 255).astype(np.float32), ColorTags(matrix=1, range=ColorRange.FULL))
    assert np.abs(frame.planes.luma.astype(int) - expected.luma).max() <= 1
    assert np.abs(frame.planes.chroma.astype(int) - expected.chroma).max() <= 1


def test_b_frames_come_in_the_order_they_are_shown(tmp_path: Path) -> None:
    levels = list(range(50, 170, 10))
    path = write_clip(tmp_path / "clip.mp4", flat(levels), codec="libx264", options=B_FRAMES_H264)
    with av.open(str(path)) as container:
        stored = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert stored != sorted(stored)
    _, frames = read_all(path)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.pts for frame in frames] == sorted(stored)
    assert [round(frame.planes.luma.mean()) for frame in frames] == levels


def test_times_are_the_streams_own(tmp_path: Path) -> None:
    pts = [3000, 3100, 3133, 3500, 5000]
    path = write_clip(tmp_path / "clip.mkv", noise(5), pts=pts, time_base=Fraction(1, 1000))
    info, frames = read_all(path)
    assert [frame.pts for frame in frames] == pts
    assert info.time_base == Fraction(1, 1000)
    assert {frame.time_base for frame in frames} == {info.time_base}


def test_a_frame_knows_how_long_it_stands(tmp_path: Path) -> None:
    info, frames = read_all(write_clip(tmp_path / "clip.mp4", noise(4), codec="libx264"))
    assert {frame.duration * info.time_base for frame in frames} == {Fraction(1, 25)}


def test_missing_times_are_made_from_the_frame_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.h264", noise(9), codec="libx264", options=B_FRAMES_H264)
    _, frames = read_all(path)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(9)]


def test_the_stream_is_described(tmp_path: Path) -> None:
    def prepare(stream: VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = write_clip(tmp_path / "clip.mp4", noise(10), codec="libx264", prepare=prepare)
    info, _ = read_all(path)
    assert (info.frame_rate, info.frame_count, info.sample_aspect_ratio) == (Fraction(25), 10, Fraction(4, 3))
    assert info.name == str(path)
    assert info.container is not None
    with av.open(info.container) as container:
        assert container.streams.video[0].width == info.width


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_rotation_is_a_tag_and_pixels_stay(tmp_path: Path, rotation_deg: int) -> None:
    path = write_clip(
        tmp_path / "clip.mp4",
        noise(1),
        codec="libx264",
        prepare=lambda stream: stream.set_display_rotation(rotation_deg),
    )
    info, [frame] = read_all(path)
    assert info.rotation_deg == rotation_deg
    assert (info.width, info.height) == (frame.planes.width, frame.planes.height) == (64, 48)


def test_colour_tags_are_code_points_of_h273(tmp_path: Path) -> None:
    def hdr(stream: VideoStream) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 1

    pictures = noise(2, pixel_format="yuv420p10le")
    path = write_clip(tmp_path / "clip.mkv", pictures, pixel_format="yuv420p10le", prepare=hdr)
    info, frames = read_all(path)
    assert info.color == ColorTags(matrix=9, range=ColorRange.LIMITED, primaries=9, transfer=16)
    assert {frame.color for frame in frames} == {info.color}


def test_full_range_is_kept_without_conversion(tmp_path: Path) -> None:
    pictures = noise(2)

    def full(stream: VideoStream) -> None:
        stream.codec_context.color_range = 2

    path = write_clip(tmp_path / "clip.mp4", pictures, codec="libx264", options=LOSSLESS_H264, prepare=full)
    info, frames = read_all(path)
    assert info.color.range is ColorRange.FULL
    assert np.array_equal(frames[1].planes.luma, pictures[1][0])


def test_without_tags_nothing_is_claimed(tmp_path: Path) -> None:
    info, _ = read_all(write_clip(tmp_path / "clip.mkv", noise(1)))
    assert info.color == ColorTags()


def interlaced(stream: VideoStream) -> None:
    stream.codec_context.flags |= 0x20040000  # interlaced DCT and motion estimation


def test_interlaced_pictures_are_made_whole_one_for_one_from_themselves(tmp_path: Path) -> None:
    # The two fields differ by 30, under and over by 180.
    pictures = flat([20, 200] * 4)
    for luma, *_ in pictures:
        luma[1::2] += 30
    path = write_clip(tmp_path / "clip.mpg", pictures, codec="mpeg2video", prepare=interlaced, options={"qmax": "2"})
    with av.open(str(path)) as container:
        stored = [frame.pts for frame in container.decode(video=0)]
    _, frames = read_all(path)
    assert [frame.pts for frame in frames] == stored
    for frame, level in zip(frames, [20, 200] * 4, strict=True):
        # One field is kept, here the second, and the other's lines are made from it.
        assert np.abs(frame.planes.luma.astype(int) - (level + 30)).max() <= 3


def write_two_streams(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        for size in (64, 128):
            stream = container.add_stream("libx264", rate=25)
            assert isinstance(stream, VideoStream)
            stream.width = stream.height = size
        for stream in container.streams.video:
            container.mux(stream.encode(av.VideoFrame(stream.width, stream.width, "yuv420p")))
            container.mux(stream.encode(None))
    return path


def test_a_video_stream_can_be_chosen(tmp_path: Path) -> None:
    path = write_two_streams(tmp_path / "two.mp4")
    assert read_all(path, stream=0)[0].width == 64
    assert read_all(path, stream=1)[0].width == 128
    with av.open(str(path)) as container:
        best = container.streams.best("video")
        assert isinstance(best, VideoStream)
        assert read_all(path)[0].width == best.width
    with pytest.raises(SourceError, match=r"no video stream 2; it has 0: 64x64, 1: 128x128"):
        read_all(path, stream=2)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    cover = cv2.imencode(".jpg", np.zeros((200, 200, 3), np.uint8))[1].tobytes()
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as container:
        container.add_attachment("cover.jpg", "image/jpeg", cover)
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(SourceError, match="holds no video, only audio and a cover picture"):
        read_all(path)


@pytest.mark.parametrize(
    "name",
    ["a b.mp4", "-i.mp4", "Größe 100%.mp4", "img_%04d.mp4", "a:b.mp4", "http:b.mp4", "concat:c.mp4", "[x]*?.mp4"],
)
def test_any_file_name_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path(name), noise(2), codec="libx264")
    info, frames = read_all(name)
    assert len(frames) == 2
    assert info.name == name


def test_a_url_is_read_like_a_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", noise(5))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            info, frames = read_all(f"{url}/clip.mkv")
            with pytest.raises(SourceError, match="404"):
                read_all(f"{url}/none.mkv")
        finally:
            server.shutdown()
            thread.join()
    assert len(frames) == 5
    assert info.container == f"{url}/clip.mkv"


def test_a_long_url_is_a_url_all_the_same() -> None:
    with pytest.raises(SourceError, match="refused"):
        read_all(f"http://127.0.0.1:1/clip.mp4?signature={'x' * 2000}")


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SourceError, match=r"no answer within 0\.2 s"):
            read_all(f"http://127.0.0.1:{port}/clip.mp4", open_timeout_s=0.2)


def test_a_message_never_shows_what_is_secret_in_a_url() -> None:
    with pytest.raises(SourceError) as caught:
        read_all("http://user:pass@word@127.0.0.1:1/clip.mp4?token=abc#x")
    assert "http://127.0.0.1:1/clip.mp4 " in str(caught.value)
    for secret in ("user", "pass", "word", "token", "abc"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "seen"), [({"stream": -1}, "-1"), ({"open_timeout_s": 0}, "0"), ({"read_timeout_s": -2.5}, "-2.5")]
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], seen: str) -> None:
    with pytest.raises(ValueError, match=seen):
        FileConfig(input="clip.mp4", **settings)


def test_closing_is_safe_at_any_time(tmp_path: Path) -> None:
    source = FileSource(FileConfig(input=str(write_clip(tmp_path / "clip.mkv", noise(5)))))
    source.close()
    source.open()
    assert source.read() is not None
    source.close()
    source.close()
    assert source.read() is None


def test_closing_ends_the_decoders_threads(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", noise(20), codec="libx264")
    before = psutil.Process().num_threads()
    source = FileSource(FileConfig(input=str(path)))
    source.open()
    source.read()
    source.close()
    assert psutil.Process().num_threads() <= before
