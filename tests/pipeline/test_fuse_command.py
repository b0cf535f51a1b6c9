"""``lumabraid fuse``: pictures in, pictures out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.cli import main
from stages.capture.picture import read_picture


def exposed(stops: float, *, width: int = 96, height: int = 64) -> npt.NDArray[np.float32]:
    """A room with a bright window at an exposure, BGR float in [0, 1]."""
    rng = np.random.default_rng(7)
    radiance = cv2.GaussianBlur(rng.gamma(0.6, 0.12, (height, width, 3)).astype(np.float32), (0, 0), 3)
    radiance[8:32, 40:80] *= 30
    encoded: npt.NDArray[np.float32] = np.clip(radiance * np.float32(2**stops), 0, 1) ** (1 / 2.2)
    return encoded


def write(path: Path, stops: float, *, bits: int = 8, width: int = 96) -> Path:
    path.parent.mkdir(exist_ok=True)
    picture = np.rint(exposed(stops, width=width) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def read(path: Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture.astype(np.uint16) if picture.dtype == np.uint16 else picture.astype(np.uint8)


def fuse(*arguments: object) -> int:
    return main(["fuse", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a user's mistake."""
    assert fuse(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("lumabraid: error: ").rstrip()


def test_two_pictures_become_one_that_shows_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under, over = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1)
    output = tmp_path / "fused.png"
    assert fuse(under, over, "-o", output) == 0
    said = capsys.readouterr()
    assert "stops apart" in said.out
    assert f"under: {under}" in said.out
    fused = read(output)
    assert fused.shape == (64, 96, 3)
    assert fused.dtype == np.uint8
    assert read(under).mean() < fused.mean() < read(over).mean()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["bright.png", "dark.png", "fused.png"]


def test_the_order_of_the_two_does_not_matter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under, over = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1)
    assert fuse(under, over, "-o", tmp_path / "a.png") == 0
    capsys.readouterr()
    assert fuse(over, under, "-o", tmp_path / "b.png") == 0
    assert f"under: {under}" in capsys.readouterr().out
    assert np.array_equal(read(tmp_path / "a.png"), read(tmp_path / "b.png"))


def test_sixteen_bits_give_sixteen_and_odd_names_work(tmp_path: Path) -> None:
    under = write(tmp_path / "dünkel 100%.png", -2, bits=16)
    over = write(tmp_path / "-hell.png", 1, bits=16)
    output = tmp_path / "Überblendung [1].png"
    assert fuse("-o", output, "--", under, over) == 0
    fused = read(output)
    assert fused.dtype == np.uint16
    assert len(np.unique(fused)) > 256


def test_a_damaged_picture_is_one_line_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    under, over = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1)
    content = bytearray(over.read_bytes())
    content[len(content) // 2] ^= 0xFF
    over.write_bytes(content)
    assert fuse(under, over, "-o", tmp_path / "fused.png") == 2
    assert capfd.readouterr() == (
        "",
        f"lumabraid: error: {over} is no picture, or a damaged one; replace or remove it\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under, over = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1)
    (tmp_path / "fused.partial.png").symlink_to("/dev/full")
    assert fuse(under, over, "-o", tmp_path / "fused.png") == 1
    said = capsys.readouterr().err
    assert said == f"lumabraid: error: {tmp_path / 'fused.png'}: cannot be written: No space left on device\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bright.png", "dark.png"]


def test_still_pictures_come_out_the_same_with_and_without_alignment(tmp_path: Path) -> None:
    under, over = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1)
    assert fuse(under, over, "-o", tmp_path / "a.png") == 0
    assert fuse(under, over, "-o", tmp_path / "b.png", "--no-align") == 0
    difference = read(tmp_path / "a.png").astype(float) - read(tmp_path / "b.png")
    assert np.abs(difference).mean() < 2


def test_folders_are_fused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("1.png", "2.png"):
        write(tmp_path / "dark" / name, -2)
        write(tmp_path / "bright" / name, 1)
    (tmp_path / "dark" / "notes.txt").write_text("no picture", encoding="utf-8")
    assert fuse(tmp_path / "bright", tmp_path / "dark", "-o", tmp_path / "fused") == 0
    said = capsys.readouterr().out
    assert "2 pictures fused" in said
    assert f"under: {tmp_path / 'dark'}\n" in said
    assert sorted(path.name for path in (tmp_path / "fused").iterdir()) == ["1.png", "2.png"]


def test_a_pair_that_cannot_be_fused_is_left_out_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1.png", "2.png", "3.png"):
        write(tmp_path / "dark" / name, -2)
        write(tmp_path / "bright" / name, 1)
    damaged = tmp_path / "bright" / "2.png"
    damaged.write_text("no picture", encoding="utf-8")
    assert fuse(tmp_path / "dark", tmp_path / "bright", "-o", tmp_path / "fused") == 2
    said = capsys.readouterr()
    assert f"{tmp_path / 'fused'}: 2 pictures fused" in said.out
    assert said.err.splitlines() == [
        f"lumabraid: error: {damaged} is no picture, or a damaged one; replace or remove it",
        "lumabraid: error: 1 of 3 pairs could not be fused; the lines above say why",
    ]
    assert sorted(path.name for path in (tmp_path / "fused").iterdir()) == ["1.png", "3.png"]


def test_a_folder_of_which_nothing_can_be_fused_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("dark", "bright"):
        write(tmp_path / folder / "1.png", 0)
    assert fuse(tmp_path / "dark", tmp_path / "bright", "-o", tmp_path / "fused") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "have the same exposure" in said.err
    assert said.err.endswith("none of 1 pairs could be fused; the lines above say why\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_ends_a_folder_and_says_what_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1.png", "2.png", "3.png"):
        write(tmp_path / "dark" / name, -2)
        write(tmp_path / "bright" / name, 1)
    output = tmp_path / "fused"
    output.mkdir()
    (output / "2.partial.png").symlink_to("/dev/full")
    assert fuse(tmp_path / "dark", tmp_path / "bright", "-o", output) == 1
    assert capsys.readouterr().err == (
        f"lumabraid: error: {output / '2.png'}: cannot be written: No space left on device; "
        "1 of 3 pictures are fused and kept\n"
    )
    assert [path.name for path in output.iterdir()] == ["1.png"]


def test_pictures_without_a_counterpart_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "dark" / "1.png", -2)
    write(tmp_path / "bright" / "2.png", 1)
    said = refused(capsys, tmp_path / "dark", tmp_path / "bright", "-o", tmp_path / "fused")
    assert str(tmp_path / "dark" / "1.png") in said
    assert str(tmp_path / "bright" / "2.png") in said
    assert not (tmp_path / "fused").exists()


def test_what_cannot_be_fused_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under, over, output = write(tmp_path / "dark.png", -2), write(tmp_path / "bright.png", 1), tmp_path / "fused.png"
    small, text, empty = write(tmp_path / "small.png", 1, width=48), tmp_path / "text.png", tmp_path / "empty.png"
    text.write_text("no picture", encoding="utf-8")
    empty.touch()
    assert "no such file" in refused(capsys, under, tmp_path / "missing.png", "-o", output)
    assert "no picture, or a damaged one" in refused(capsys, under, text, "-o", output)
    assert "no picture, or a damaged one" in refused(capsys, empty, over, "-o", output)
    said = refused(capsys, under, small, "-o", output)
    assert "96x64" in said
    assert "48x64" in said
    assert "same exposure" in refused(capsys, under, under, "-o", output)
    assert "two pictures or two folders" in refused(capsys, under, tmp_path, "-o", output)
    assert "would overwrite the input" in refused(capsys, under, over, "-o", over)
    assert "ends in .png" in refused(capsys, under, over, "-o", tmp_path / "fused.xyz")
    assert "does not exist" in refused(capsys, under, over, "-o", tmp_path / "nowhere" / "fused.png")
    assert "no model nix" in refused(capsys, under, over, "-o", output, "--model", "nix")
    assert not output.exists()


def test_pictures_are_read_in_the_depth_they_have(tmp_path: Path) -> None:
    assert read_picture(write(tmp_path / "8.png", 0)).bit_depth == 8
    assert read_picture(write(tmp_path / "16.png", 0, bits=16)).bit_depth == 10
