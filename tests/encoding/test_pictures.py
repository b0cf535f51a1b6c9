"""Numbered pictures."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from stages.color import bgr_from_planes
from stages.encoding.pictures import PictureConfig, PictureWriter
from stages.errors import ConfigError


@pytest.fixture
def write(fused_frames, info_of):
    """write(output, frames, **settings): the whole life of a PictureWriter."""

    def run(output, frames, *, rotation_deg=0, pictures=(), **settings):
        writer = PictureWriter(PictureConfig(output=str(output), **settings))
        try:
            writer.open(info_of(frames, rotation_deg=rotation_deg, pictures=tuple(pictures)))
            done = [event.index for frame in frames for event in writer.process(frame)]
            assert done == [frame.index for frame in frames]
            assert list(writer.flush()) == []
        finally:
            writer.close()

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_and_gets_png_pictures_by_frame_index(tmp_path, fused_frames, write):
    write(tmp_path / "out", fused_frames(4)[1:])
    assert names(tmp_path / "out") == ["000001.png", "000002.png", "000003.png"]


@pytest.mark.parametrize(
    ("name", "bit_depth", "dtype"),
    [
        ("%03d.png", 8, np.uint8),
        ("%03d.png", 10, np.uint16),
        ("%03d.tif", 10, np.uint16),
        ("%03d.jpg", 10, np.uint8),
    ],
)
def test_pictures_hold_the_colours_in_the_depth_of_the_source(tmp_path, fused_frames, write, name, bit_depth, dtype):
    (frame,) = fused_frames(1, bit_depth=bit_depth)
    write(tmp_path / name, [frame])
    picture = cv2.imread(str(tmp_path / (name % 0)), cv2.IMREAD_UNCHANGED)
    assert (picture.dtype, picture.shape) == (dtype, (48, 64, 3))
    error = np.abs(picture / np.iinfo(dtype).max - bgr_from_planes(frame.planes, frame.color))
    # Noise is the worst there is for JPEG.
    assert error.max() <= 0.6 / np.iinfo(dtype).max if name[-3:] != "jpg" else error.mean() < 0.03


def test_depth_can_be_chosen(tmp_path, fused_frames, write):
    write(tmp_path / "%d.png", fused_frames(1), bit_depth=16)
    assert cv2.imread(str(tmp_path / "0.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_pictures_stand_upright(tmp_path, fused_frames, write):
    (frame,) = fused_frames(1)
    write(tmp_path / "plain%d.png", [frame])
    write(tmp_path / "turned%d.png", [frame], rotation_deg=90)
    plain, turned = (cv2.imread(str(tmp_path / f"{name}0.png")) for name in ("plain", "turned"))
    np.testing.assert_array_equal(turned, cv2.rotate(plain, cv2.ROTATE_90_COUNTERCLOCKWISE))


@pytest.mark.parametrize("name", ["-größe %% %04d.png", "a: b%04d.tif"])
def test_any_file_name_works(tmp_path, monkeypatch, fused_frames, write, name):
    monkeypatch.chdir(tmp_path)
    write(name, fused_frames(2))
    assert names(tmp_path) == [name % 0, name % 1]


def test_existing_pictures_are_replaced_on_request_only(tmp_path, fused_frames, write):
    (tmp_path / "0.png").write_bytes(b"the only copy")
    with pytest.raises(ConfigError, match="exists; choose another"):
        write(tmp_path / "%d.png", fused_frames(1))
    assert (tmp_path / "0.png").read_bytes() == b"the only copy"
    write(tmp_path / "%d.png", fused_frames(1), overwrite=True)
    assert cv2.imread(str(tmp_path / "0.png")).shape == (48, 64, 3)
    assert names(tmp_path) == ["0.png"]


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("name", ["1.png", "1.partial.png", "kept.png"])
def test_the_input_is_never_the_output(tmp_path, fused_frames, write, name, overwrite):
    inputs = [tmp_path / "other.png", tmp_path / name]
    inputs[0].touch()
    inputs[1].write_bytes(b"the only copy")
    if name == "kept.png":
        (tmp_path / "1.png").symlink_to(inputs[1])
    with pytest.raises(ConfigError, match=rf"output .*1\.png would overwrite the input .*{name}; give another name"):
        write(tmp_path / "%d.png", fused_frames(2), pictures=inputs, overwrite=overwrite)
    assert inputs[1].read_bytes() == b"the only copy"
    assert "0.png" not in names(tmp_path)


@pytest.mark.parametrize("overwrite", [True, False])
def test_results_go_among_the_input_pictures_by_a_pattern_only(tmp_path, fused_frames, write, overwrite):
    inputs = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in inputs:
        path.write_bytes(b"the only copy")
    with pytest.raises(ConfigError, match="holds the input pictures; give another, or one inside it"):
        write(tmp_path, fused_frames(2), pictures=inputs, overwrite=overwrite)
    assert names(tmp_path) == ["a.png", "b.png"]
    write(tmp_path / "fused", fused_frames(2), pictures=inputs, overwrite=overwrite)
    write(tmp_path / "fused_%d.png", fused_frames(2), pictures=inputs, overwrite=overwrite)
    assert names(tmp_path) == ["a.png", "b.png", "fused", "fused_0.png", "fused_1.png"]


def test_a_missing_folder_is_refused_before_any_work(tmp_path, fused_frames, write):
    with pytest.raises(ConfigError, match="does not exist; create it"):
        write(tmp_path / "missing" / "out" / "%d.png", fused_frames(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "out.png"}, "needs exactly one number"),
        ({"output": "%d_%d.png"}, "needs exactly one number"),
        ({"output": "%s.png"}, "needs exactly one number"),
        ({"output": "out_%05d.gif"}, "must end in .png"),
        ({"output": "%d.jpg", "bit_depth": 16}, "use .png or .tif"),
        ({"output": "out", "jpeg_quality": 0}, "1 to 100, got 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PictureConfig(**settings)


def test_odd_sizes_and_other_time_bases(tmp_path, fused_frames, write):
    write(tmp_path / "%d.png", fused_frames(1, size=(63, 47), time_base=Fraction(1, 3)))
    assert cv2.imread(str(tmp_path / "0.png")).shape == (47, 63, 3)


def test_an_empty_output_is_refused() -> None:
    with pytest.raises(ValueError, match="output must name"):
        PictureConfig(output="")
