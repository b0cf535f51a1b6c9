"""A recording in segments: where they are cut, what they hold, and which are deleted."""

import itertools
import shutil
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import av
import pytest

from stages.encoding.retention import Retention
from stages.encoding.segments import SegmentConfig, SegmentRecorder
from stages.errors import ConfigError
from stages.frame import ColorRange, ColorTags
from stages.stage import Done
from tests.encoding.recording import RATE, decode, gray_frames, indices, recorder

HDR = ColorTags(matrix=9, range=ColorRange.LIMITED, primaries=9, transfer=16)


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


def test_the_encoder_holds_no_frame_back(record):
    (path,) = record(gray_frames(20))

    assert b"bframes=0" in path.read_bytes()
    with av.open(str(path)) as segment:
        assert all(packet.pts == packet.dts for packet in segment.demux(video=0) if packet.size)
