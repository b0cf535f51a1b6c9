"""An NVIDIA GPU's encoders and decoder (NVENC, NVDEC) beside software: speed, size and quality at the same CRF.

    python -m benchmarks.hardware [--size 1080p] [--frames N] [--json FILE]

Each codec encodes the same pictures both ways; then both decode what software encoded. A line says what cannot be had
here. Exit code 1 where NVENC's pictures are more than 2 dB worse in luma than the software's, or where NVDEC's differ
from the software's at all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from benchmarks.clips import FRAME_RATE, write_bracketed_clip
from pipeline.bench.film import as_fused
from pipeline.bench.sizes import Size, parse_size
from stages.capture.file import FileConfig, FileSource
from stages.capture.hardware import try_decoding
from stages.encoding.codecs import CodecName
from stages.encoding.hardware import NVENC, Picture, nvenc_options, try_encoder
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.frame import Frame, Planes, StreamInfo
from stages.hardware import Hardware

_T = TypeVar("_T")

CASES: Final[tuple[tuple[CodecName, int], ...]] = (("h264", 8), ("h265", 8), ("h265", 10), ("av1", 8), ("av1", 10))
WORSE_DB: Final = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """One way of encoding or decoding."""

    task: str
    way: str
    fps: float
    cpu_ms: float
    """Processor time a frame."""
    mbit_s: float
    psnr_db: float
    """Of luma, against what was encoded."""


def read(path: Path, hardware: Hardware = "none") -> tuple[StreamInfo, list[Frame]]:
    """A whole video."""
    with closing(FileSource(FileConfig(input=str(path), hardware=hardware))) as source:
        return source.open(), list(iter(source.read, None))


def pictures(folder: Path, size: Size, count: int) -> tuple[StreamInfo, list[Frame]]:
    """Something to encode: one exposure of a clip of two."""
    path = folder / "source.mp4"
    write_bracketed_clip(path, width=size.width, height=size.height, frames=2 * count)
    info, frames = read(path)
    return info, frames[1::2]


def encode(path: Path, codec: CodecName, depth: int, info: StreamInfo, frames: Sequence[Frame], way: Hardware) -> None:
    """All of it into a file."""
    config = VideoConfig(output=str(path), codec=codec, keep_streams=False, hardware=way)
    with closing(VideoEncoder(config)) as encoder:
        encoder.open(info)
        for index, frame in enumerate(frames):
            planes = frame.planes if depth == 8 else deeper(frame.planes)
            list(encoder.process(as_fused(replace(frame, planes=planes), index)))
        list(encoder.flush())


def deeper(planes: Planes) -> Planes:
    """The same with 10 bit."""
    luma, chroma = (np.left_shift(values, 2, dtype=np.uint16) for values in (planes.luma, planes.chroma))
    return Planes(luma, chroma, 10)


def psnr_db(decoded: Sequence[Frame], frames: Sequence[Frame]) -> float:
    """Of luma, over all frames."""
    peak = (1 << decoded[0].planes.bit_depth) - 1
    scale = 1 if peak == 255 else 4
    errors = [
        np.mean(np.square(got.planes.luma.astype(np.float32) - np.float32(scale) * sent.planes.luma))
        for got, sent in zip(decoded, frames, strict=True)
    ]
    return float(10 * np.log10(peak**2 / max(float(np.mean(errors)), 1e-9)))


def timed(job: Callable[[], _T], count: int) -> tuple[_T, float, float]:
    """What a job gives, frames a second and milliseconds of processor time a frame."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = job()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return result, count / wall_s, 1e3 * cpu_s / count


def same(one: Sequence[Frame], other: Sequence[Frame]) -> bool:
    """Whether all code values are equal."""
    return len(one) == len(other) and all(
        np.array_equal(a.planes.luma, b.planes.luma) and np.array_equal(a.planes.chroma, b.planes.chroma)
        for a, b in zip(one, other, strict=True)
    )


def measure(folder: Path, size: Size, count: int) -> tuple[list[Row], list[str], list[str]]:
    """Rows of the table, what cannot be had, and what is wrong."""
    info, frames = pictures(folder, size, count)
    rows: list[Row] = []
    missing: list[str] = []
    wrong: list[str] = []

    def encoded(codec: CodecName, depth: int, way: Hardware) -> Path:
        path = folder / f"{codec}-{depth}-{way}.mp4"
        _, fps, cpu_ms = timed(partial(encode, path, codec, depth, info, frames, way), count)
        mbit_s = path.stat().st_size * 8e-6 * float(FRAME_RATE) / count
        name = "software" if way == "none" else "NVENC"
        rows.append(Row(f"encode {codec} {depth} bit", name, fps, cpu_ms, mbit_s, psnr_db(read(path)[1], frames)))
        return path

    for codec, depth in CASES:
        path = encoded(codec, depth, "none")
        software, file_mbit_s = rows[-1].psnr_db, rows[-1].mbit_s
        picture = Picture(size.width, size.height, depth, FRAME_RATE)
        if (reason := try_encoder(NVENC[codec], nvenc_options(codec, None, None), picture)) is not None:
            missing.append(f"NVENC, {codec} {depth} bit: {reason}")
        else:
            encoded(codec, depth, "auto")
            if rows[-1].psnr_db < software - WORSE_DB:
                wrong.append(f"NVENC, {codec} {depth} bit: {software - rows[-1].psnr_db:.1f} dB worse")
        (_, expected), fps, cpu_ms = timed(partial(read, path), count)
        rows.append(Row(f"decode {codec} {depth} bit", "software", fps, cpu_ms, file_mbit_s, software))
        if (reason := try_decoding(str(path))) is not None:
            missing.append(f"NVDEC, {codec} {depth} bit: {reason}")
            continue
        (_, got), fps, cpu_ms = timed(partial(read, path, "auto"), count)
        rows.append(Row(f"decode {codec} {depth} bit", "NVDEC", fps, cpu_ms, file_mbit_s, psnr_db(got, frames)))
        if not same(got, expected):
            wrong.append(f"NVDEC, {codec} {depth} bit: not what software decodes")
    return rows, missing, wrong


def main() -> int:
    """Measure, print, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=parse_size, default="1080p")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, missing, wrong = measure(Path(folder), arguments.size, arguments.frames)
    print(f"{'':<22}{'':<10}{'fps':>8}{'CPU ms':>9}{'Mbit/s':>9}{'PSNR dB':>9}")
    for row in rows:
        print(f"{row.task:<22}{row.way:<10}{row.fps:>8.1f}{row.cpu_ms:>9.1f}{row.mbit_s:>9.1f}{row.psnr_db:>9.2f}")
    for line in [*(f"not here: {line}" for line in missing), *(f"wrong: {line}" for line in wrong)]:
        print(line)
    if arguments.json:
        result = {"rows": [asdict(row) for row in rows], "missing": missing, "wrong": wrong}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
