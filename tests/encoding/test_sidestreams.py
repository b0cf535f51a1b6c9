"""What is not video passes through."""

import logging
import os
from fractions import Fraction

import av
import pytest

from stages.encoding.video import VideoConfig, VideoEncoder


def packets(path, kind):
    """(time in seconds, bytes) of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.pts is not None]


def subtitle_texts(path):
    with av.open(str(path)) as container:
        lines = [line for packet in container.demux(subtitles=0) for line in packet.decode()]
        return [line.dialogue.decode() for line in lines]


@pytest.fixture
def through(tmp_path, fused_frames, encode):
    """Encode frames beside a source's streams; returns the output's path."""

    def run(source, suffix, *, count=12, start=0, **settings):
        output = tmp_path / f"out{suffix}"
        encode(output, fused_frames(count, start=start), info={"container": source}, **settings)
        return output

    return run


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_audio_packets_and_their_times_are_untouched(tmp_path, make_source, through, suffix):
    source = make_source(tmp_path / "in.mp4")
    assert packets(through(source, suffix), "audio") == packets(source, "audio")


def test_matroska_keeps_audio_against_video_within_a_millisecond(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mp4")
    output = through(source, ".mkv")
    # The encoder's run-in before zero is never heard; with it, the muxer would delay the video.
    heard = [packet for packet in packets(source, "audio") if packet[0] >= 0]
    copied = packets(output, "audio")
    assert [data for _, data in copied] == [data for _, data in heard]
    for (got, _), (sent, _) in zip(copied, heard, strict=True):
        assert abs(got - sent) <= Fraction(1, 1000)
    assert packets(output, "video")[0][0] == 0


def test_opus_passes_from_matroska_to_webm(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mkv", audio="libopus")
    assert packets(through(source, ".webm", codec="av1"), "audio") == packets(source, "audio")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_and_tags_are_carried_over(tmp_path, make_source, through, suffix):
    source = make_source(tmp_path / "in.mkv")
    with av.open(str(through(source, suffix))) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Dark", "Bright"]
        assert [chapter["start"] * chapter["time_base"] for chapter in container.chapters()] == [0, Fraction(1, 5)]
        tags = {key.lower(): text for key, text in container.metadata.items()}
        assert (tags["title"], tags["camera_operator"]) == ("Two windows", "Ada")
        assert container.streams.audio[0].language == "eng"


def test_tags_in_an_old_encoding_stay_what_they_are(tmp_path, through):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w", metadata_encoding="latin-1") as output:
        output.metadata["artist"] = "Zoë"
        stream = output.add_stream("ffv1", rate=25, width=16, height=16, pix_fmt="yuv420p")
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")) + stream.encode(None))
    with av.open(str(through(str(source), ".mkv")), metadata_encoding="latin-1") as container:
        assert container.metadata["ARTIST"] == "Zoë"


def test_a_time_code_is_carried_over(tmp_path, through):
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libx264", rate=25, width=16, height=16, pix_fmt="yuv420p")
        stream.metadata["timecode"] = "01:02:03:04"
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")) + stream.encode(None))
    with av.open(str(through(str(source), ".mov"))) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:02:03:04"


@pytest.mark.parametrize(
    ("codec", "source_suffix", "suffix"),
    [
        ("mov_text", ".mp4", ".mp4"),
        ("srt", ".mkv", ".mkv"),
        ("ass", ".mkv", ".mkv"),
        ("srt", ".mkv", ".mp4"),
        ("ass", ".mkv", ".mov"),
        ("mov_text", ".mp4", ".mkv"),
        ("srt", ".mkv", ".webm"),
    ],
)
def test_text_subtitles_reach_every_container(tmp_path, make_source, through, codec, source_suffix, suffix):
    audio = "libopus" if source_suffix == ".mkv" else "aac"
    source = make_source(tmp_path / f"in{source_suffix}", subtitles=codec, audio=audio)
    output = through(source, suffix, codec="av1" if suffix == ".webm" else "h264")
    assert [text for text in subtitle_texts(output) if text] == ["Line 0", "Line 1"]
    shown = [time for time, data in packets(output, "subtitles") if b"Line" in data]
    assert shown == [0, Fraction(1, 5)]
    with av.open(str(output)) as container:
        assert container.streams.subtitles[0].language == "fra"


def test_attachments_stay_in_matroska(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mkv", attachment=True)
    with av.open(str(through(source, ".mkv"))) as container:
        (font,) = container.streams.attachments
        assert (font.name, font.mimetype, font.data) == ("font.ttf", "application/x-truetype-font", b"not a font")


def test_a_stream_the_container_cannot_hold_costs_one_warning(tmp_path, make_source, through, caplog):
    source = make_source(tmp_path / "in.mkv", audio="libopus", attachment=True)
    with caplog.at_level(logging.WARNING):
        output = through(source, ".mov")
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "audio stream 1 (opus) is left out: mov cannot hold it",
        "attachment stream 2 (font.ttf) is left out: mov cannot hold it",
    ]
    assert len(packets(output, "video")) == 12


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_picture_is_carried_over(tmp_path, make_source, through, suffix):
    source = make_source(tmp_path / "plain.mp4")
    with_cover = tmp_path / "in.mp4"
    with av.open(source) as container, av.open(str(with_cover), "w") as output:
        copies = {
            s.index: output.add_stream_from_template(s, opaque=True) for s in container.streams if s.type != "data"
        }
        cover = output.add_stream("mjpeg", width=16, height=16, pix_fmt="yuvj420p", rate=1)
        cover.disposition = 1 << 10
        picture = cover.encode(av.VideoFrame(16, 16, "yuvj420p")) + cover.encode(None)
        output.mux(picture)
        for packet in container.demux(*[container.streams[index] for index in copies]):
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)

    with av.open(str(through(str(with_cover), suffix))) as container:
        covers = [s for s in container.streams.video if s.disposition & (1 << 10)]
        assert len(covers) == 1
        assert bytes(next(container.demux(covers[0]))) == bytes(picture[0])


def test_audio_longer_than_the_video_is_kept(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mkv", audio="libopus", frames=12)
    with av.open(source) as container:
        audio = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    assert [data for _, data in packets(through(source, ".mkv"), "audio")] == audio


def test_a_video_cut_short_cuts_its_audio(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mp4", frames=50)
    output = through(source, ".mp4", count=10)
    assert Fraction(35, 100) < packets(output, "audio")[-1][0] < Fraction(45, 100)


def test_a_shift_before_zero_moves_everything(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mkv", audio="libopus")
    output = through(source, ".mkv", start=-1280, count=16)
    moved = [round(time + Fraction(1, 10), 3) for time, _ in packets(source, "audio")]
    assert [time for time, _ in packets(output, "audio")][1:] == moved[1:]


def test_streams_can_be_left_behind(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mp4", subtitles="mov_text")
    with av.open(str(through(source, ".mp4", keep_streams=False))) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert "title" not in container.metadata


@pytest.mark.parametrize("source", ["gone.mp4", "rtsp://127.0.0.1:1/live", "http://127.0.0.1:1/clip.mp4"])
def test_a_source_that_cannot_be_read_again_costs_a_warning(through, source, caplog):
    with caplog.at_level(logging.WARNING):
        output = through(source, ".mp4")
    assert len(caplog.records) == 1
    assert "audio and tags" in caplog.text
    assert len(packets(output, "video")) == 12


def test_a_pipe_is_not_opened_again(tmp_path, through, caplog):
    os.mkfifo(tmp_path / "pipe.ts")
    with caplog.at_level(logging.WARNING):
        through(str(tmp_path / "pipe.ts"), ".mp4")
    assert "no second reading" in caplog.text


def test_a_truncated_source_keeps_the_audio_it_has(tmp_path, make_source, through):
    source = make_source(tmp_path / "in.mkv", audio="libopus", frames=100)
    data = (tmp_path / "in.mkv").read_bytes()
    (tmp_path / "in.mkv").write_bytes(data[: len(data) // 2])
    output = through(source, ".mkv", count=20)
    assert len(packets(output, "audio")) > 10


@pytest.mark.parametrize("starts_s", [(), (5,)])
def test_audio_that_begins_late_or_never_holds_no_video_in_memory(
    tmp_path, make_long_source, fused_frames, info_of, starts_s
):
    source = make_long_source(audio_starts_s=starts_s)
    frames = fused_frames(150)
    encoder = VideoEncoder(VideoConfig(output=str(tmp_path / "out.mp4"), preset="ultrafast"))
    encoder.open(info_of(frames, container=source))
    for frame in frames[:140]:
        list(encoder.process(frame))
    assert (tmp_path / "out.partial.mp4").stat().st_size > 50_000
    for frame in frames[140:]:
        list(encoder.process(frame))
    encoder.flush()
    encoder.close()
    assert len(packets(tmp_path / "out.mp4", "video")) == 150
    assert packets(tmp_path / "out.mp4", "audio") == packets(source, "audio")


def test_subtitles_keep_their_times_across_many_groups_of_pictures(make_long_source, through):
    shown_s = [(1, 2), (4, 1), (5, 1)]
    source = make_long_source(audio_starts_s=(0,), subtitles_s=shown_s)
    output = through(source, ".mp4", count=150)
    assert [time for time, data in packets(output, "subtitles") if b"Line" in data] == [time for time, _ in shown_s]
