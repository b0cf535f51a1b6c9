from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.capture.pictures import PicturesConfig, PicturesSource
from stages.color import bgr_from_planes, planes_from_bgr
from stages.errors import DamagedSourceError, SourceError
from stages.frame import ColorRange, Frame, StreamInfo

Bgr = npt.NDArray[Any]


def read_all(text: Path | str, frame_rate: float = 25.0) -> tuple[StreamInfo, list[Frame]]:
    source = PicturesSource(PicturesConfig(input=str(text), frame_rate=frame_rate))
    try:
        info = source.open()
        return info, list(iter(source.read, None))
    finally:
        source.close()


def level(value: int, *, width: int = 16, height: int = 12) -> Bgr:
    return np.full((height, width, 3), value, np.uint8)


def save(path: Path, picture: Bgr) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def levels_of(frames: list[Frame]) -> list[int]:
    return [int(frame.planes.luma[0, 0]) for frame in frames]


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Five pictures; the numbers in their names are their gray levels."""
    folder = tmp_path / "Föhr 100%"
    folder.mkdir()
    for value in (2, 10, 1, 11, 100):
        save(folder / f"shot_{value}.png", level(value))
    (folder / "notes.txt").write_text("no picture")
    (folder / "._shot_1.png").write_text("left behind by an operating system")
    return folder


def test_a_folder_is_read_in_the_natural_order_of_its_names(shots: Path) -> None:
    info, frames = read_all(shots, frame_rate=30)
    assert levels_of(frames) == [1, 2, 10, 11, 100]
    assert [(frame.index, frame.pts, frame.duration) for frame in frames] == [(i, i, 1) for i in range(5)]
    assert info.time_base == Fraction(1, 30)
    assert (info.width, info.height, info.bit_depth, info.frame_rate, info.frame_count) == (16, 12, 8, Fraction(30), 5)
    assert info.container is None
    assert [path.stem for path in info.pictures] == ["shot_1", "shot_2", "shot_10", "shot_11", "shot_100"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", [1, 2, 10, 11, 100]),
        ("shot_1*.png", [1, 10, 11, 100]),
        ("shot_?.png", [1, 2]),
        ("shot_%d.png", [1, 2, 10, 11, 100]),
    ],
)
def test_a_pattern_chooses(shots: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: list[int]) -> None:
    assert levels_of(read_all(shots / pattern)[1]) == expected
    monkeypatch.chdir(shots)
    assert levels_of(read_all(pattern)[1]) == expected


def test_a_printf_pattern_fills_up_with_zeros(tmp_path: Path) -> None:
    for name, value in (("a0003.png", 3), ("a0010.png", 10), ("a10000.png", 200), ("a7.png", 7)):
        save(tmp_path / name, level(value))
    assert levels_of(read_all(tmp_path / "a%04d.png")[1]) == [3, 10, 200]


def test_eight_bits_survive_and_the_tags_say_what_the_pixels_are(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 256, 1), 3, axis=2)
    save(tmp_path / "ramp.png", np.repeat(ramp, 2, axis=0))
    info, [frame] = read_all(tmp_path)
    assert np.array_equal(frame.planes.luma, np.repeat(ramp[..., 0], 2, axis=0))
    assert (info.color.matrix, info.color.range, info.color.primaries, info.color.transfer) == (
        1,
        ColorRange.FULL,
        1,
        13,
    )
    assert frame.color == info.color


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_ten(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    picture: Bgr = cv2.resize(rng.integers(0, 65536, (6, 8, 3), np.uint16), (33, 25), interpolation=cv2.INTER_LINEAR)
    save(tmp_path / f"deep{suffix}", picture)
    info, [frame] = read_all(tmp_path)
    assert info.bit_depth == frame.planes.bit_depth == 10
    expected = planes_from_bgr((picture / 65535).astype(np.float32), info.color, bit_depth=10)
    assert np.array_equal(frame.planes.luma, expected.luma)
    assert np.array_equal(frame.planes.chroma, expected.chroma)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_colours_are_those_of_the_picture(tmp_path: Path, suffix: str) -> None:
    picture = np.full((16, 16, 3), (200, 120, 40), np.uint8)
    save(tmp_path / f"blue{suffix}", picture)
    info, [frame] = read_all(tmp_path)
    assert np.abs(bgr_from_planes(frame.planes, info.color) * 255 - picture).max() < 4


def test_alpha_is_left_behind_and_gray_is_read(tmp_path: Path) -> None:
    save(tmp_path / "1.png", np.dstack([level(50), level(7)[..., :1]]))
    save(tmp_path / "2.png", level(60)[..., 0])
    assert levels_of(read_all(tmp_path)[1]) == [50, 60]


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", level(90, width=32, height=16))[1].tobytes()
    # Little-endian TIFF header, then one entry: tag 0x0112 (orientation), type SHORT, count 1, value 6 (turn right).
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    (tmp_path / "phone.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    info, _ = read_all(tmp_path)
    assert (info.width, info.height) == (16, 32)


PNG = cv2.imencode(".png", level(3))[1].tobytes()
SPOILT_PNG = PNG[:-24] + b"?" + PNG[-23:]


@pytest.mark.parametrize(
    ("bad", "seen"),
    [
        (cv2.imencode(".png", level(3, width=20))[1].tobytes(), "has 20x12 pixels, the first picture 16x12"),
        (cv2.imencode(".png", level(3).astype(np.uint16))[1].tobytes(), "becomes 10 bit, the first picture 8 bit"),
        (PNG[:60], "no picture, or a damaged one"),
        (SPOILT_PNG, "no picture, or a damaged one"),
        (b"text", "no picture, or a damaged one"),
        (b"", "no picture, or a damaged one"),
    ],
    ids=["size", "depth", "truncated", "spoilt", "text", "empty"],
)
def test_a_bad_picture_ends_the_sequence_and_is_named(
    shots: Path, capfd: pytest.CaptureFixture[str], bad: bytes, seen: str
) -> None:
    (shots / "shot_9.png").write_bytes(bad)
    source = PicturesSource(PicturesConfig(input=str(shots)))
    source.open()
    assert levels_of([frame for frame in (source.read(), source.read()) if frame]) == [1, 2]
    with pytest.raises(DamagedSourceError, match=r"picture 3 of 6: .*shot_9\.png") as caught:
        source.read()
    source.close()
    assert seen in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_holds_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = tmp_path / "a.png"
    text.write_text("text")
    for wanted, seen in (
        (tmp_path / "empty", "no picture"),
        (tmp_path / "nowhere", "no file matches"),
        (tmp_path / "*.tif", "no file matches"),
        (tmp_path / "nowhere" / "%d.png", "no file matches"),
        (text, "is one file"),
        (tmp_path / "*.png", "no picture, or a damaged one"),
    ):
        with pytest.raises(SourceError, match=seen) as caught:
            read_all(wanted)
        assert type(caught.value) is SourceError


@pytest.mark.parametrize("pattern", ["", "*.png", "shot%d.png"])
def test_a_folder_that_may_not_be_read_is_named(shots: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SourceError) as caught:
        PicturesSource(PicturesConfig(input=str(shots / pattern))).open()
    assert str(caught.value) == f"{shots} cannot be read: Permission denied"


@pytest.mark.parametrize(("frame_rate", "rate"), [(25, 25), (29.97, Fraction(30000, 1001)), (12.5, Fraction(25, 2))])
def test_frame_rates_are_exact(frame_rate: float, rate: Fraction) -> None:
    assert PicturesConfig(input="shots", frame_rate=frame_rate).rate == rate


@pytest.mark.parametrize("frame_rate", [0.0, -25.0, float("nan"), float("inf")])
def test_a_frame_rate_that_means_nothing_is_refused(frame_rate: float) -> None:
    with pytest.raises(ValueError, match="frame_rate must be between"):
        PicturesConfig(input="shots", frame_rate=frame_rate)
