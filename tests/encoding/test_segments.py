"""A recording in segments: where they are cut, what they hold, and what trouble does to them."""

import errno
import itertools
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import stages
from stages.encoding import segments
from stages.encoding.outputfile import OutputFile
from stages.encoding.retention import Retention
from stages.encoding.segments import SegmentConfig, SegmentRecorder
from stages.errors import ConfigError, EncodeError
from stages.frame import BT709, ColorRange, ColorTags, FusedFrame, Planes
from stages.stage import Done, Dropped

HDR = ColorTags(matrix=9, range=ColorRange.LIMITED, primaries=9, transfer=16)
START_NS = 1_795_363_212_345_678_900  # 2026-11-22 16:00:12.345678900 UTC
PATIENCE_S = 20.0
RATE = 25


def gray_frames(count, *, size=(64, 48), bit_depth=8, start=0, rate=RATE, color=BT709):
    """Frames 0, 1, ..., each told by its brightness, a tick of 1/1000 s apart at 1000 / rate ticks."""
    width, height = size
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    for index in range(start, start + count):
        luma = np.full((height, width), (20 + index) << (bit_depth - 8), dtype)
        chroma = np.full((2, -(-height // 2), -(-width // 2)), 1 << (bit_depth - 1), dtype)
        step = 1000 // rate
        yield FusedFrame(
            index=index,
            planes=Planes(luma, chroma, bit_depth),
            pts=5000 + index * step,
            time_base=Fraction(1, 1000),
            duration=step,
            color=color,
            sources=(index, index),
            ratio_stops=3.0,
            captured_ns=START_NS + index * step * 1_000_000,
            fused_ns=0,
        )


@contextmanager
def recorder(folder, info, **settings):
    """A SegmentRecorder that is open during the block."""
    opened = SegmentRecorder(SegmentConfig(folder=str(folder), **{"min_free_mb": 0, **settings}))
    try:
        opened.open(info)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def record(tmp_path, info_of):
    """record(frames, **settings): all of them into tmp_path/rec; returns the segments."""

    def run(frames, **settings):
        frames = list(frames)
        with recorder(tmp_path / "rec", info_of(frames), **settings) as opened:
            assert [event for frame in frames for event in opened.process(frame)] == [Done(f.index) for f in frames]
            assert list(opened.flush()) == []
        return sorted((tmp_path / "rec").iterdir())

    return run


def decode(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def indices(path):
    """Which gray frames a file holds."""
    found = []
    for frame in decode(path):
        dtype, shift = (np.uint16, 2) if "10" in frame.format.name else (np.uint8, 0)
        found.append((int(np.frombuffer(memoryview(frame.planes[0]), dtype)[0]) >> shift) - 20)
    return found


def playable_indices(path):
    """The same of a file that breaks off."""
    try:
        return indices(path)
    except av.FFmpegError:  # nothing but a header, or not even that
        return []


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_new_segment_begins_after_segment_s_and_no_frame_is_lost(record, container, codec):
    files = record(gray_frames(110, color=HDR), segment_s=2, container=container, codec=codec)

    assert [indices(path) for path in files] == [[*range(50)], [*range(50, 100)], [*range(100, 110)]]
    for path in files:
        frames = decode(path)
        assert [frame.time for frame in frames] == pytest.approx([i / RATE for i in range(len(frames))])
        assert frames[0].key_frame
        assert {(f.colorspace, f.color_range, f.color_primaries, f.color_trc) for f in frames} == {(9, 1, 9, 16)}


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_segment_says_when_it_began(record, container):
    files = record(gray_frames(30), segment_s=1, container=container)

    assert [path.name for path in files] == [
        f"20261122T160012.345Z_000001.{container}",
        f"20261122T160013.345Z_000002.{container}",
    ]
    with av.open(str(files[1])) as segment:
        began = datetime.fromisoformat(segment.metadata["creation_time"])
    assert abs((began - datetime(2026, 11, 22, 16, 0, 13, 345678, UTC)).total_seconds()) < 1


def test_a_new_segment_begins_after_segment_mb(record, fused_frames):
    files = record(fused_frames(100, size=(160, 120)), segment_mb=0.1)
    assert len(files) > 3
    # What the muxer holds back comes on top.
    assert all(0.1e6 <= path.stat().st_size < 0.2e6 for path in files[:-1])
    assert sum(len(decode(path)) for path in files) == 100


def test_what_one_file_cannot_hold_begins_a_new_segment(record):
    runs = [
        gray_frames(5),
        gray_frames(5, start=5, size=(80, 48)),
        gray_frames(5, start=10, size=(80, 48), color=HDR),
        gray_frames(5, start=15, size=(80, 48), bit_depth=10),
        (replace(frame, time_base=Fraction(1, 500)) for frame in gray_frames(5, start=20)),
        (replace(frame, pts=frame.pts - 1000) for frame in gray_frames(5, start=25)),
        (replace(frame, pts=frame.pts + 70_000) for frame in gray_frames(5, start=30)),
    ]
    files = record(itertools.chain(*runs), codec="h265")
    assert [indices(path) for path in files] == [[*range(i, i + 5)] for i in range(0, 35, 5)]


@pytest.mark.parametrize(
    ("codec", "bit_depth", "pixel_format"),
    [("h264", 8, "yuv444p"), ("h264", 10, "yuv444p"), ("h265", 10, "yuv444p10le")],
)
def test_odd_sizes_and_ten_bits(record, codec, bit_depth, pixel_format):
    (path,) = record(gray_frames(3, size=(63, 47), bit_depth=bit_depth), codec=codec)
    frame = decode(path)[0]
    assert (frame.width, frame.height, frame.format.name) == (63, 47, pixel_format)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", [2, 5, 25, 50])
def test_at_every_moment_the_file_plays_up_to_less_than_a_second_ago(tmp_path, info_of, container, rate):
    frames = list(gray_frames(max(12, 2 * rate), rate=rate))
    copy = tmp_path / f"copy.{container}"
    with recorder(tmp_path / "rec", info_of(frames, frame_rate=Fraction(rate)), container=container) as opened:
        for frame in frames:
            opened.process(frame)
            (segment,) = (tmp_path / "rec").iterdir()
            shutil.copy(segment, copy)
            on_disk = playable_indices(copy)
            assert on_disk == [*range(len(on_disk))]
            missing = frame.index + 1 - len(on_disk)
            # Time for the disk remains.
            assert missing / rate <= 0.65


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_what_the_disk_was_made_to_keep_plays_after_a_power_cut(tmp_path, info_of, monkeypatch, container):
    safe = {}  # bytes on the disk by inode, counted when the call to sync begins

    def fsync(descriptor, really=os.fsync):
        status = os.fstat(descriptor)
        really(descriptor)
        safe[status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", fsync)
    folder = tmp_path / "rec"
    frames = list(gray_frames(90))
    with recorder(folder, info_of(frames), container=container, segment_s=2) as opened:
        for frame in frames:
            opened.process(frame)
            if frame.index % 10 != 9:
                continue
            # Nothing but the recorder's own thread is needed to bring it to the disk, and the names.
            wait_until(lambda: folder.stat().st_ino in safe)
            wait_until(lambda: all(safe.get(p.stat().st_ino) == p.stat().st_size for p in folder.iterdir()))
            survivors = []
            for path in sorted(folder.iterdir()):
                copy = tmp_path / f"after{path.suffix}"
                copy.write_bytes(path.read_bytes()[: safe[path.stat().st_ino]])
                survivors += playable_indices(copy)
            assert survivors == [*range(len(survivors))]
            assert frame.index + 1 - len(survivors) <= 0.5 * RATE
        opened.flush()
    assert all(safe[path.stat().st_ino] == path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_finish_of_which_only_the_front_reached_the_disk_loses_nothing_more(tmp_path, info_of, container):
    frames = list(gray_frames(40))
    with recorder(tmp_path / "rec", info_of(frames), container=container) as opened:
        for frame in frames:
            opened.process(frame)
        (path,) = (tmp_path / "rec").iterdir()
        before = path.stat().st_size
        opened.flush()
    torn = tmp_path / f"torn.{container}"
    torn.write_bytes(path.read_bytes()[:before])
    survivors = playable_indices(torn)
    assert len(survivors) >= 40 - 0.5 * RATE
    assert indices(path) == [*range(40)]


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_segments import gray_frames, recorder
from conftest import info_of
frames = list(gray_frames(200))
with recorder(Path(sys.argv[2]), info_of(frames), container=sys.argv[3], segment_s=2) as opened:
    for frame in frames:
        opened.process(frame)
        print(frame.index, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("last", [0, 49, 50, 113])
def test_a_killed_recorder_leaves_segments_that_play(tmp_path, container, last):
    folder = tmp_path / "rec"
    root = Path(stages.__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, Path(__file__).parent, folder, container],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if int(line) == last:
                    break
                process.stdin.write("\n")
                process.stdin.flush()
        finally:
            process.send_signal(signal.SIGKILL)
    survivors = [index for path in sorted(folder.iterdir()) for index in playable_indices(path)]
    assert survivors == [*range(len(survivors))]
    assert last + 1 - len(survivors) <= 0.5 * RATE


def test_a_slow_disk_does_not_hold_up_the_pipeline(tmp_path, info_of, monkeypatch):
    entered, released = [], False

    def fsync(descriptor):
        entered.append(descriptor)
        wait_until(lambda: released)

    monkeypatch.setattr(os, "fsync", fsync)
    frames = list(gray_frames(60))
    (tmp_path / "rec").mkdir()
    with recorder(tmp_path / "rec", info_of(frames), segment_s=1) as opened:
        try:
            assert [event for frame in frames for event in opened.process(frame)] == [Done(i) for i in range(60)]
            wait_until(lambda: entered)
        finally:
            released = True


def test_old_segments_make_room_and_nothing_else_does(tmp_path, record, fused_frames):
    folder = tmp_path / "rec"
    folder.mkdir()
    others = ["holiday.mp4", "20200101T000000.000Z_000001.txt", "20200101.mp4", "x20200101T000000.000Z_000001.mp4"]
    leftovers = ["20200101T000000.000Z_000001.mp4", "20200101T000100.000Z_000002.mkv"]
    for name in [*others, *leftovers]:
        (folder / name).write_bytes(bytes(400_000))

    files = record(fused_frames(150, size=(160, 120)), max_disk_mb=0.5)

    assert {path.name for path in files} >= set(others)
    kept = [path for path in files if path.name not in others]
    assert not {path.name for path in kept} & set(leftovers)
    assert 0.2e6 < sum(path.stat().st_size for path in kept) <= 0.5e6
    assert all(path.stat().st_size < 0.3e6 for path in kept), "one segment must not fill the limit"


def test_without_a_limit_nothing_is_deleted(tmp_path, record, fused_frames):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "20200101T000000.000Z_000001.mp4").write_bytes(bytes(100))
    assert len(record(fused_frames(150), segment_s=1)) == 7


def test_the_limit_counts_what_is_being_written_and_holds_at_every_look(tmp_path):
    retention = Retention(tmp_path, limit_bytes=1000)
    for number in range(30):
        path = tmp_path / f"20261122T160012.345Z_{number:06d}.mp4"
        path.touch()
        retention.begin(path)
        for size in range(0, 201, 25):
            path.write_bytes(bytes(size))
            assert sum(other.stat().st_size for other in tmp_path.iterdir()) <= 1000
            retention.enforce()
        retention.end(path)
    assert retention.held_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) >= 800
    assert retention.deleted == 30 - len(list(tmp_path.iterdir()))


def test_a_wrong_clock_does_not_make_the_newest_the_oldest(tmp_path):
    earlier, now = (tmp_path / f"{year}1122T160012.345Z_000001.mp4" for year in (2026, 1970))
    earlier.write_bytes(bytes(400))
    retention = Retention(tmp_path, limit_bytes=1000)
    now.touch()
    retention.begin(now)
    now.write_bytes(bytes(400))
    retention.end(now)
    retention.enforce()
    assert list(tmp_path.iterdir()) == [now]


def test_what_somebody_else_removed_is_not_missed(tmp_path, record, fused_frames):
    files = record(fused_frames(50, size=(160, 120)), max_disk_mb=0.5)
    retention = Retention(tmp_path / "rec", limit_bytes=files[-1].stat().st_size * 3)
    for path in files[:-1]:
        path.unlink()
    retention.enforce()
    assert files[-1].exists()
    assert retention.deleted == 0


def test_an_existing_file_is_never_overwritten(tmp_path, record):
    taken = tmp_path / "rec" / "20261122T160012.345Z_000001.mp4"
    taken.parent.mkdir()
    taken.write_text("mine")
    files = record(gray_frames(3))
    assert [path.name for path in files] == [taken.name, "20261122T160012.345Z_000002.mp4"]
    assert taken.read_text() == "mine"


def test_a_folder_has_one_recorder(tmp_path, info_of):
    info = info_of(list(gray_frames(1)))
    second = SegmentRecorder(SegmentConfig(folder=str(tmp_path / "rec")))
    with recorder(tmp_path / "rec", info), pytest.raises(ConfigError, match="rec is being recorded into already"):
        second.open(info)
    second.open(info)
    second.close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, info_of):
    (tmp_path / "file").touch()
    for folder, said in ((tmp_path / "missing" / "rec", "does not exist"), (tmp_path / "file", "is not a folder")):
        with pytest.raises(ConfigError, match=said), recorder(folder, info_of(list(gray_frames(1)))):
            pass


def test_a_full_disk_interrupts_the_recording_and_not_the_pipeline(tmp_path, info_of, monkeypatch, caplog):
    free = 10**9
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    frames = gray_frames(30)
    folder = tmp_path / "rec"
    with recorder(folder, info_of(list(gray_frames(1))), min_free_mb=100) as opened:
        results = [*opened.process(next(frames))]
        free = 99_000_000
        wait_until(lambda: opened.obstacle is not None)
        results += [event for _ in range(10) for event in opened.process(next(frames))]
        free = 10**9
        wait_until(lambda: opened.obstacle is None)
        results += [event for frame in frames for event in opened.process(frame)]
        opened.flush()
    assert results == [
        Done(0),
        *(Dropped(index, "not recorded") for index in range(1, 11)),
        *(Done(index) for index in range(11, 30)),
    ]
    assert [indices(path) for path in sorted(folder.iterdir())] == [[0], [*range(11, 30)]]
    stopped, resumed = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert stopped.endswith("NOT RECORDING, 1 frames lost so far: the disk has only 99 MB free, and min_free_mb is 100")
    assert resumed.endswith("recording again, 10 frames were lost")


def test_a_disk_that_fails_interrupts_the_recording_and_not_the_pipeline(tmp_path, info_of, monkeypatch):
    monkeypatch.setattr(segments, "_RETRY_S", 0)
    fails = False

    def write(file, data, really=OutputFile.write):
        if fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(file, data)

    monkeypatch.setattr(OutputFile, "write", write)
    frames = gray_frames(90)
    with recorder(tmp_path / "rec", info_of(list(gray_frames(1)))) as opened:
        lost = []
        for frame in frames:
            fails = 30 <= frame.index < 50
            lost += [event.index for event in opened.process(frame) if isinstance(event, Dropped)]
        opened.flush()
        assert opened.recording.segments == 2
    assert lost[-1] == 49
    first, second = sorted((tmp_path / "rec").iterdir())
    survivors = playable_indices(first)
    assert survivors == [*range(len(survivors))]
    assert len(survivors) >= 30 - 0.5 * RATE
    assert indices(second) == [*range(50, 90)]


def test_what_never_worked_is_an_error(tmp_path, info_of, monkeypatch):
    def write(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OutputFile, "write", write)
    (frame,) = gray_frames(1)
    message = "No space left on device; check the disk"
    with recorder(tmp_path / "rec", info_of([frame])) as opened, pytest.raises(EncodeError, match=message):
        opened.process(frame)
    assert list((tmp_path / "rec").iterdir()) == []


def test_a_limit_above_what_the_disk_has_is_lowered(tmp_path, info_of, monkeypatch, caplog):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=700_000_000))
    with recorder(tmp_path / "rec", info_of(list(gray_frames(1))), max_disk_mb=1000, min_free_mb=500):
        pass
    assert "the disk has room for 200 MB of segments, not for 1000" in caplog.text


def test_no_frame_is_kept_in_memory(tmp_path, info_of):
    frames = list(gray_frames(30))
    with recorder(tmp_path / "rec", info_of(frames)) as opened:
        pixels = [weakref.ref(frame.planes.luma) for frame in frames]
        for frame in frames:
            opened.process(frame)
        del frame
        frames.clear()
        assert [seen() for seen in pixels] == [None] * 30


def test_without_frames_there_is_no_segment(record, tmp_path, info_of):
    with recorder(tmp_path / "rec", info_of(list(gray_frames(1)))) as opened:
        opened.flush()
    assert list((tmp_path / "rec").iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folder": ""}, "folder must name a folder, got ''"),
        ({"segment_s": 0.5}, "segment_s must be 1 or more, got 0.5"),
        ({"segment_mb": 0}, "segment_mb must be more than 0, or null, got 0"),
        ({"max_disk_mb": -1}, "max_disk_mb must be more than 0, or null, got -1"),
        ({"min_free_mb": float("nan")}, "min_free_mb must be 0 or more, got nan"),
        ({"crf": 52}, "crf must lie in 0 to 51, got 52"),
        ({"preset": "quick"}, "preset 'quick' is unknown to H.264; use ultrafast, "),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SegmentConfig(**{"folder": "rec", **settings})
