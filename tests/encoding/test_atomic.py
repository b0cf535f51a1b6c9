"""Under the final name lies a whole file or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

import stages
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.errors import ConfigError


def frame_count(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def encoder(tmp_path, fused_frames, info_of):
    def make(name="out.mp4", **settings):
        stage = VideoEncoder(VideoConfig(output=str(tmp_path / name), preset="ultrafast", **settings))
        stage.open(info_of(fused_frames(1)))
        return stage

    return make


def test_the_name_is_given_by_flush_only(tmp_path, encoder, fused_frames):
    stage = encoder()
    assert names(tmp_path) == []
    for frame in fused_frames():
        list(stage.process(frame))
        assert names(tmp_path) == ["out.partial.mp4"]
    stage.flush()
    assert names(tmp_path) == ["out.mp4"]
    stage.close()
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_stream_given_up_leaves_what_was_encoded_under_the_partial_name(
    tmp_path, encoder, fused_frames, name, caplog
):
    stage = encoder(name)
    for frame in fused_frames():
        list(stage.process(frame))
    stage.close()
    partial = tmp_path / name.replace(".", ".partial.")
    assert names(tmp_path) == [partial.name]
    assert frame_count(partial) == 12
    assert str(partial) in caplog.text


def test_a_stream_without_frames_leaves_nothing(tmp_path, encoder):
    stage = encoder()
    stage.flush()
    stage.close()
    encoder().close()
    assert names(tmp_path) == []


def test_an_existing_output_stays_until_the_new_one_is_complete(tmp_path, encoder, fused_frames):
    (tmp_path / "out.mp4").write_bytes(b"old")
    stage = encoder()
    list(stage.process(fused_frames(1)[0]))
    assert (tmp_path / "out.mp4").read_bytes() == b"old"
    stage.flush()
    stage.close()
    assert frame_count(tmp_path / "out.mp4") == 1


def test_an_existing_output_is_refused_on_request(tmp_path, encoder):
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(ConfigError, match=r"out\.mp4 exists"):
        encoder(overwrite=False)


@pytest.mark.parametrize("name", ["out.mp4", "out.partial.mp4"])
def test_the_input_is_never_the_output(tmp_path, fused_frames, encode, name):
    (tmp_path / name).write_bytes(b"the only copy")
    (tmp_path / "link.mp4").symlink_to(tmp_path / name)
    with pytest.raises(ConfigError, match="overwrite the input"):
        encode(tmp_path / "out.mp4", fused_frames(1), info={"container": str(tmp_path / "link.mp4")})
    assert (tmp_path / name).read_bytes() == b"the only copy"


def test_a_folder_is_not_an_output(tmp_path, encoder):
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        encoder()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable_is_refused(tmp_path, encoder):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="not writable"):
        encoder()


@pytest.mark.parametrize("name", ["-i 100% größer: a.mp4", "%d.mkv", "a'b\"c.mov", "...mp4"])
def test_any_file_name_works(tmp_path, monkeypatch, fused_frames, encode, make_source, name):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    source = make_source(Path(f"./{name}"), audio=None) if name[0] != "." else None
    encode(Path("out") / name, fused_frames(3), info={"container": source and name})
    assert names(tmp_path / "out") == [name]
    encode(Path(f"new {name}"), fused_frames(3))
    assert frame_count(tmp_path / f"new {name}") == 3


SCRIPT = """
import os, resource, sys
from fractions import Fraction
import numpy as np
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.errors import EncodeError
from stages.frame import ColorTags, FusedFrame, Planes, StreamInfo

output, source, how = sys.argv[1:]
tick = Fraction(1, 25)
encoder = VideoEncoder(VideoConfig(output=output, preset="ultrafast"))
encoder.open(StreamInfo(64, 48, 8, tick, frame_rate=Fraction(25), container=source))
if how == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rng = np.random.default_rng(0)
try:
    for i in range(300):
        planes = Planes(rng.integers(0, 255, (48, 64), np.uint8), rng.integers(0, 255, (2, 24, 32), np.uint8))
        list(encoder.process(FusedFrame(i, planes, i, tick, 1, ColorTags(), (i, i), 3.0, 0, 0)))
    if how == "full":
        list(encoder.flush())
except EncodeError as error:
    encoder.close()
    sys.exit(str(error))
os._exit(9)
"""


def run_script(output, source, how):
    environment = os.environ | {"PYTHONPATH": str(Path(stages.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, str(output), source, how]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_killed_process_leaves_a_file_that_plays(tmp_path, make_source, suffix):
    source = make_source(tmp_path / "in.mp4", frames=300)
    assert run_script(tmp_path / f"out{suffix}", source, "killed").returncode == 9
    assert not (tmp_path / f"out{suffix}").exists()
    # 300 frames are 12 s; the last group of pictures and what the encoder holds are lost.
    assert frame_count(tmp_path / f"out.partial{suffix}") > 150


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_clear_line(tmp_path, make_source, suffix):
    result = run_script(tmp_path / f"out{suffix}", make_source(tmp_path / "in.mp4"), "full")
    assert result.returncode == 1
    assert f"out.partial{suffix}: cannot write: File too large; check the disk" in result.stderr
    assert not (tmp_path / f"out{suffix}").exists()
