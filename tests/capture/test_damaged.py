from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import OutputContainer

from stages.capture.file import FileConfig, FileSource
from stages.errors import DamagedSourceError, SourceError
from stages.frame import Frame
from tests.capture.clips import B_FRAMES_H264, LOSSLESS_H264, flat, noise, write_clip


def read_until_broken(path: Path) -> tuple[list[Frame], DamagedSourceError | None]:
    source = FileSource(FileConfig(input=str(path)))
    frames: list[Frame] = []
    try:
        source.open()
        while (frame := source.read()) is not None:
            frames.append(frame)
    except DamagedSourceError as error:
        return frames, error
    finally:
        source.close()
    return frames, None


def refusal(path: Path) -> str:
    """The one line a user sees when the source cannot be opened."""
    source = FileSource(FileConfig(input=str(path)))
    try:
        with pytest.raises(SourceError) as caught:
            source.open()
    finally:
        source.close()
    assert type(caught.value) is SourceError
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cut(path: Path, share: float) -> Path:
    """The beginning of a file."""
    content = path.read_bytes()
    shortened = path.with_stem("cut")
    shortened.write_bytes(content[: int(len(content) * share)])
    return shortened


FASTSTART = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


@pytest.mark.parametrize("share", [0.4, 0.7, 0.99])
@pytest.mark.parametrize(
    ("name", "codec", "container_options"),
    [
        ("clip.mp4", "libx264", FASTSTART),
        ("clip.mp4", "libx264", FRAGMENTED),
        ("clip.mov", "mjpeg", FASTSTART),
        ("clip.mkv", "libx264", {}),
        ("clip.mkv", "ffv1", {}),
        ("clip.avi", "ffv1", {}),
        ("clip.flv", "libx264", {}),
        ("clip.nut", "ffv1", {}),
    ],
)
def test_a_truncated_file_gives_what_is_whole_and_then_says_where_it_breaks_off(
    tmp_path: Path, name: str, codec: str, container_options: dict[str, str], share: float
) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = LOSSLESS_H264 if codec == "libx264" else {}
    pictures = noise(20, pixel_format=pixel_format)
    path = write_clip(
        tmp_path / name,
        pictures,
        codec=codec,
        pixel_format=pixel_format,
        options=options,
        container_options=container_options,
    )
    whole, error = read_until_broken(path)
    assert (len(whole), error) == (20, None)

    frames, error = read_until_broken(cut(path, share))
    assert 20 * share - 3 <= len(frames) < 20
    for frame, original in zip(frames, whole, strict=False):
        assert frame.pts == original.pts
        assert np.array_equal(frame.planes.luma, original.planes.luma)
    assert error is not None
    assert error.exit_code == 1
    end_s = float((frames[-1].pts + frames[-1].duration) * frames[-1].time_base)
    assert f"cut{path.suffix} broke off at frame {len(frames)} ({end_s:.3f} s)" in str(error)


def test_reordered_pictures_before_the_cut_are_all_given(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", flat(range(50, 70)), codec="libx264", options=B_FRAMES_H264, container_options=FASTSTART
    )
    with av.open(str(path)) as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    shortened = tmp_path / "cut.mp4"
    shortened.write_bytes(path.read_bytes()[: packets[15][0] + packets[15][1] // 2])
    frames, error = read_until_broken(shortened)
    assert len(frames) == 15
    assert error is not None


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", noise(20), codec="libx264")
    assert "is truncated" in refusal(cut(path, 0.5))
    index = path.read_bytes().index(b"moov")
    begun = tmp_path / "begun.mp4"
    begun.write_bytes(path.read_bytes()[: index + 300])
    assert "is truncated" in refusal(begun)


def test_a_tail_of_zeros_is_no_normal_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", noise(20), time_base=Fraction(1, 5))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    frames, error = read_until_broken(path)
    assert 5 < len(frames) < 12
    assert "the file says that it lasts" in str(error)


def test_a_stream_that_decodes_no_further_is_no_normal_end(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", noise(20), codec="libx264", options=LOSSLESS_H264, container_options=FASTSTART
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    frames, error = read_until_broken(path)
    assert 5 < len(frames) < 12
    assert "what follows cannot be decoded" in str(error)


def test_a_stream_without_end_is_given_up_when_nothing_decodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.capture.decoder._MAX_FRUITLESS_PACKETS", 40)
    path = write_clip(
        tmp_path / "clip.mp4", noise(80), codec="libx264", options=LOSSLESS_H264, container_options=FASTSTART
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 4].ljust(len(content), b"\0"))
    frames, error = read_until_broken(path)
    assert 15 < len(frames) < 25
    assert "nothing decodes in 40 packets" in str(error)


def test_one_spoilt_packet_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = noise(20, pixel_format="yuvj420p")
    path = write_clip(tmp_path / "clip.mov", pictures, codec="mjpeg", pixel_format="yuvj420p")
    with av.open(str(path)) as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    content[packets[7][0] : sum(packets[7])] = bytes(packets[7][1])
    path.write_bytes(content)

    source = FileSource(FileConfig(input=str(path)))
    info = source.open()
    frames = list(iter(source.read, None))
    source.close()
    times = [int(frame.pts * info.time_base * 25) for frame in frames]
    assert times == [i for i in range(20) if i != 7]
    assert [frame.index for frame in frames] == list(range(19))
    [warning] = caplog.messages
    assert warning.startswith(f"{path} is damaged")
    assert warning.endswith("packets that cannot be decoded: 1, the first near 0.280 s")


def test_pictures_with_traces_of_damage_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_clip(tmp_path / "clip.mp4", noise(20), codec="libx264")
    assert len(read_until_broken(path)[0]) == 20
    assert caplog.messages == []
    with av.open(str(path)) as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    middle = packets[10][0] + packets[10][1] // 2
    content[middle : middle + 40] = bytes(255 - byte for byte in content[middle : middle + 40])
    path.write_bytes(content)
    frames, error = read_until_broken(path)
    assert (len(frames), error) == (20, None)
    [warning] = caplog.messages
    assert "pictures with traces of damage: " in warning


def test_a_change_of_size_ends_the_stream(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.h264", noise(6), codec="libx264", options=LOSSLESS_H264)
    large = write_clip(tmp_path / "large.h264", noise(6, width=96, height=64), codec="libx264", options=LOSSLESS_H264)
    path = tmp_path / "both.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    frames, error = read_until_broken(path)
    assert {(frame.planes.width, frame.planes.height) for frame in frames} == {(64, 48)}
    assert len(frames) == 6
    assert "the picture changes from 64x48 to 96x64" in str(error)


def test_a_change_of_pixel_format_alone_is_converted_to_the_first(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.h264", noise(6), codec="libx264", options=LOSSLESS_H264)
    finer = noise(6, pixel_format="yuv444p", seed=1)
    then = write_clip(tmp_path / "then.h264", finer, codec="libx264", pixel_format="yuv444p", options=LOSSLESS_H264)
    path = tmp_path / "both.h264"
    path.write_bytes(first.read_bytes() + then.read_bytes())
    frames, error = read_until_broken(path)
    assert (len(frames), error) == (12, None)
    assert np.array_equal(frames[-1].planes.luma, finer[-1][0])


def add_sound(container: OutputContainer) -> None:
    stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
    frame.rate = 8000
    container.mux(stream.encode(frame))


def test_what_is_no_video_is_refused_in_one_line_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    text = tmp_path / "notes.txt"
    text.write_text("under over\n" * 20)
    renamed = tmp_path / "renamed.mp4"
    renamed.write_text("under, over, under\n" * 20)
    binary = tmp_path / "noise.mp4"
    binary.write_bytes(np.random.default_rng(0).bytes(5000))
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        add_sound(container)
    capfd.readouterr()

    assert "no such file" in refusal(tmp_path / "missing.mp4")
    assert "null byte" in refusal(tmp_path / "a\0b.mp4")
    assert "is a folder" in refusal(tmp_path)
    assert "is empty" in refusal(empty)
    assert "is text" in refusal(text)
    assert "is text" in refusal(renamed)
    assert "is no video" in refusal(binary)
    assert "holds no video, only audio" in refusal(sound)
    assert capfd.readouterr() == ("", "")


def test_a_video_stream_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        container.add_stream("ffv1", rate=25)
        add_sound(container)
    assert "no picture in it can be decoded" in refusal(path)


def test_decoding_damage_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_clip(tmp_path / "clip.mkv", noise(20), codec="libx264", options=LOSSLESS_H264)
    shortened = cut(path, 0.5)
    capfd.readouterr()
    read_until_broken(shortened)
    assert capfd.readouterr() == ("", "")
