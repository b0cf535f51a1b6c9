"""A recording in segments: what remains after a power cut or a kill, and what trouble with the disk does."""

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import stages
from stages.encoding import segments
from stages.encoding.outputfile import OutputFile
from stages.errors import EncodeError
from stages.stage import Done, Dropped
from tests.encoding.recording import RATE, gray_frames, indices, playable_indices, recorder, wait_until


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
from recording import gray_frames, recorder
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
