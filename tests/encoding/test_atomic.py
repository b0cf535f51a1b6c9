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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_file_is_neither_replaced_nor_written_to(tmp_path, encoder):
    os.mkfifo(tmp_path / "out.mp4")
    with pytest.raises(ConfigError, match=r"output .*out\.mp4 is a device, pipe or socket; give the name of a file"):
        encoder()
    assert (tmp_path / "out.mp4").is_fifo()
    assert names(tmp_path) == ["out.mp4"]


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
import gc, os, resource, sys
from fractions import Fraction
import numpy as np
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.errors import EncodeError
from stages.frame import ColorTags, FusedFrame, Planes, StreamInfo

output, source, codec, frames, limit, limited_at = sys.argv[1:]
frames, limit, limited_at = int(frames), int(limit), int(limited_at)
tick = Fraction(1, 25)
open_files = len(os.listdir("/proc/self/fd"))
encoder = VideoEncoder(VideoConfig(output=output, codec=codec, preset="ultrafast" if codec[0] == "h" else None))
encoder.open(StreamInfo(64, 48, 8, tick, frame_rate=Fraction(25), container=source or None))
rng = np.random.default_rng(0)
try:
    for i in range(frames + 1):
        if i == limited_at:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        if i < frames:
            planes = Planes(rng.integers(0, 255, (48, 64), np.uint8), rng.integers(0, 255, (2, 24, 32), np.uint8))
            list(encoder.process(FusedFrame(i, planes, i, tick, 1, ColorTags(), (i, i), 3.0, 0, 0)))
    if limit < 0:
        os._exit(9)  # as if killed
    list(encoder.flush())
except EncodeError as error:
    # Closing must be safe whether or not there is room again.
    if limited_at % 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    encoder.close()
    message = str(error)
    del encoder, error
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == open_files, "a file is left open"
    sys.exit(message)
"""


def run_script(output, source, *, codec="h264", frames=300, limit=-1, limited_at=-1, script=SCRIPT):
    environment = os.environ | {"PYTHONPATH": str(Path(stages.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(output), source, codec, *map(str, (frames, limit, limited_at))]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("has_audio", [True, False])
@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h264", ".mp4"), ("h265", ".mp4"), ("h264", ".mov"), ("prores", ".mov"), ("h264", ".mkv")],
)
def test_a_killed_process_leaves_a_file_that_plays(tmp_path, make_source, codec, suffix, has_audio):
    source = make_source(tmp_path / "in.mp4", frames=300) if has_audio else ""
    assert run_script(tmp_path / f"out{suffix}", source, codec=codec).returncode == 9
    assert not (tmp_path / f"out{suffix}").exists()
    with av.open(str(tmp_path / f"out.partial{suffix}")) as container:
        frames = [round(frame.time * 25) for frame in container.decode(video=0)]
    assert frames == list(range(len(frames)))
    # 300 frames are six groups of pictures; the last is lost, since it is not complete.
    assert len(frames) >= 250


@pytest.mark.parametrize(
    ("codec", "suffix", "has_source", "limit", "limited_at", "left"),
    [
        ("h264", ".mp4", False, 0, 0, []),  # the header
        ("h264", ".mov", True, 3000, 0, ["out.partial.mov"]),  # the first frames
        ("h265", ".mp4", False, 100_000, 201, ["out.partial.mp4"]),  # in the middle
        ("h264", ".mkv", True, 50_000, 11, ["out.partial.mkv"]),
        ("h265", ".mp4", True, 20_000, 40, ["out.partial.mp4"]),  # the end
    ],
)
def test_a_full_disk_is_one_clear_line_whenever_it_happens(
    tmp_path, make_source, codec, suffix, has_source, limit, limited_at, left
):
    source = make_source(tmp_path / "in.mp4") if has_source else ""
    frames = 40 if limited_at == 40 else 300
    output = tmp_path / "to" / f"out{suffix}"
    output.parent.mkdir()
    result = run_script(output, source, codec=codec, frames=frames, limit=limit, limited_at=limited_at)
    assert result.returncode == 1, result.stderr
    assert f"out.partial{suffix}: cannot write: File too large; check the disk" in result.stderr
    assert "Traceback" not in result.stderr
    assert names(output.parent) == left


def test_a_muxer_that_refuses_the_only_packet_does_not_end_the_process(tmp_path):
    # MP4 holds no duration of more than 31 bits.
    script = SCRIPT.replace("tick = Fraction(1, 25)", "tick = Fraction(1)").replace("i, tick, 1,", "i, tick, 2**31,")
    result = run_script(tmp_path / "out.mp4", "", frames=1, limit=0, script=script)
    assert result.returncode == 1, result.stderr
    assert "out.partial.mp4: cannot encode: Invalid argument" in result.stderr
    assert names(tmp_path) == []
