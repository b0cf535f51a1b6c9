"""Clips and frames to encode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.subtitles.subtitle import SubtitleSet

from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import BT709, ColorTags, FusedFrame, Planes, StreamInfo

MILLISECOND = Fraction(1, 1000)
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def fused_frames(
    count: int = 12,
    *,
    size: tuple[int, int] = (64, 48),
    bit_depth: int = 8,
    start: int = 0,
    durations: Sequence[int] = (512,),
    time_base: Fraction = Fraction(1, 12800),
    color: ColorTags = BT709,
) -> list[FusedFrame]:
    """Noise on a ramp, a different picture each time; frame i lasts durations[i % len]."""
    width, height = size
    rng = np.random.default_rng(1)
    unit, dtype = (1, np.uint8) if bit_depth == 8 else (4, np.uint16)
    frames, pts = [], start
    for index in range(count):
        ramp = np.linspace(16, 200, width)[None] * unit + rng.integers(0, 30 * unit, (height, width))
        chroma = rng.integers(100 * unit, 150 * unit, (2, -(-height // 2), -(-width // 2)))
        duration = durations[index % len(durations)]
        frames.append(
            FusedFrame(
                index=index,
                planes=Planes(ramp.astype(dtype), chroma.astype(dtype), bit_depth),
                pts=pts,
                time_base=time_base,
                duration=duration,
                color=color,
                sources=(index, index),
                ratio_stops=3.0,
                captured_ns=0,
                fused_ns=0,
            )
        )
        pts += duration
    return frames


def info_of(frames: Sequence[FusedFrame], **changes: Any) -> StreamInfo:
    first = frames[0]
    known: dict[str, Any] = {
        "width": first.planes.width,
        "height": first.planes.height,
        "bit_depth": first.planes.bit_depth,
        "time_base": first.time_base,
        "frame_rate": Fraction(25),
        "color": first.color,
        "video_stream": 0,
    }
    return StreamInfo(**(known | changes))


@pytest.fixture(name="fused_frames")
def _fused_frames() -> Callable[..., list[FusedFrame]]:
    return fused_frames


@pytest.fixture(name="info_of")
def _info_of() -> Callable[..., StreamInfo]:
    return info_of


@pytest.fixture
def encode() -> Callable[..., None]:
    """encode(output, frames, info={...}, **settings): the whole life of a VideoEncoder."""

    def run(output: Path, frames: Sequence[FusedFrame], *, info: dict[str, Any] | None = None, **settings: Any) -> None:
        encoder = VideoEncoder(VideoConfig(output=str(output), **settings))
        try:
            encoder.open(info_of(frames, **(info or {})))
            done = [event.index for frame in frames for event in encoder.process(frame)]
            assert done == [frame.index for frame in frames]
            assert list(encoder.flush()) == []
        finally:
            encoder.close()

    return run


@pytest.fixture
def make_source() -> Callable[..., str]:
    """make_source(path, audio=, subtitles=, attachment=, cover=, seconds=): a clip with everything beside the video."""

    def make(
        path: Path,
        *,
        audio: str | None = "aac",
        subtitles: str | None = None,
        attachment: bool = False,
        frames: int = 12,
    ) -> str:
        with av.open(str(path), "w") as output:
            output.metadata.update(title="Two windows", camera_operator="Ada")
            video = output.add_stream("libx264", rate=25, width=64, height=48, pix_fmt="yuv420p")
            sound = output.add_stream(audio, rate=48000) if audio else None
            text = output.add_stream(subtitles) if subtitles else None
            if sound:
                sound.metadata["language"] = "eng"
            if text:
                text.metadata["language"] = "fra"
                text.codec_context.subtitle_header = ASS_HEADER
                text.codec_context.time_base = MILLISECOND
            if attachment:
                output.add_attachment("font.ttf", "application/x-truetype-font", b"not a font")
            output.set_chapters(
                [
                    {"id": 1, "start": 0, "end": 200, "time_base": MILLISECOND, "metadata": {"title": "Dark"}},
                    {"id": 2, "start": 200, "end": 480, "time_base": MILLISECOND, "metadata": {"title": "Bright"}},
                ]
            )
            for frame in _gray_frames(frames):
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
            for start in range(0, frames * 48000 // 25, 1024) if sound else ():
                output.mux(sound.encode(_sound(start)))
            if sound:
                output.mux(sound.encode(None))
            for number in range(2) if text else ():
                line = f"{number},0,Default,,0,0,0,,Line {number}".encode()
                packet = text.codec_context.encode_subtitle(SubtitleSet.create(line, start=0, end=150))
                packet.stream, packet.time_base = text, MILLISECOND
                packet.pts = packet.dts = 200 * number
                packet.duration = 150
                output.mux(packet)
        return str(path)

    return make


@pytest.fixture
def make_long_source(tmp_path: Path) -> Callable[..., str]:
    """make_long_source(audio_starts_s=, subtitles_s=): 6 s of video; (start, duration) of each subtitle."""

    def make(*, audio_starts_s: Sequence[int], subtitles_s: Sequence[tuple[int, int]] = ()) -> str:
        path = tmp_path / "long.mkv"
        with av.open(str(path), "w") as output:
            video = output.add_stream("libx264", rate=25, width=64, height=48, pix_fmt="yuv420p")
            sound = output.add_stream("aac", rate=48000)
            text = output.add_stream("srt") if subtitles_s else None
            if text:
                text.codec_context.subtitle_header = ASS_HEADER
                text.codec_context.time_base = MILLISECOND
            for frame in _gray_frames(150):
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
            for start_s in audio_starts_s:
                for start in range(start_s * 48000, 6 * 48000, 1024):
                    output.mux(sound.encode(_sound(start)))
                output.mux(sound.encode(None))
            for start_s, duration_s in subtitles_s:
                line = b"0,0,Default,,0,0,0,,Line"
                packet = text.codec_context.encode_subtitle(SubtitleSet.create(line, start=0, end=1000 * duration_s))
                packet.stream, packet.time_base = text, MILLISECOND
                packet.pts = packet.dts = 1000 * start_s
                packet.duration = 1000 * duration_s
                output.mux(packet)
        return str(path)

    return make


def _gray_frames(count: int) -> Iterator[av.VideoFrame]:
    for index in range(count):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            np.frombuffer(memoryview(plane), np.uint8)[:] = 16 + index % 200
        frame.pts, frame.time_base = index, Fraction(1, 25)
        yield frame


def _sound(start: int) -> av.AudioFrame:
    samples = np.random.default_rng(start).uniform(-0.1, 0.1, (2, 1024)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    return frame
