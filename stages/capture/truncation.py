"""Tells from what a container says of itself whether the end of the file is missing."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.container import InputContainer
from av.video.stream import VideoStream

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_FIRST_MP4_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"})


def missing_bytes(path: Path) -> int:
    """How many bytes Matroska, MP4, QuickTime and AVI files say they hold beyond their end.

    0 for a complete file and for one that does not tell: other formats, recordings that were never finished, and what
    cannot be read.
    """
    try:
        with path.open("rb") as file:
            file_size = path.stat().st_size
            return max(0, _declared_size(file, file_size) - file_size)
    except OSError:
        return 0


def _declared_size(file: BinaryIO, file_size: int) -> int:
    head = file.read(12)
    if head[:4] == _EBML:
        return _matroska_end(file)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _riff_end(file)
    if head[4:8] in _FIRST_MP4_BOXES:
        return _mp4_end(file, file_size)
    return 0


def declared_end_s(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """When a Matroska file says that its video ends, in seconds; None if it does not say, and for other formats.

    MP4 needs no such word, as its index lists every picture; elsewhere the duration is FFmpeg's own estimate.
    """
    if "matroska" not in container.format.name:
        return None
    clock = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + Fraction(clock[3])
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, 1_000_000)
    return None


def _matroska_end(file: BinaryIO) -> int:
    """RFC 8794: an element is an identifier, its size as a variable-length integer, and the data."""
    file.seek(4)
    file.seek(_ebml_size(file) or 0, 1)
    if file.read(4) != _SEGMENT:
        return 0
    size = _ebml_size(file)
    return 0 if size is None else file.tell() + size


def _ebml_size(file: BinaryIO) -> int | None:
    """None for the size that stands for unknown (all ones), as in a live recording."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value


def _riff_end(file: BinaryIO) -> int:
    """AVI above 1 GB is a row of RIFF chunks; a size of 0 was never filled in, some writers count the head twice."""
    end = 0
    file.seek(0)
    while (head := file.read(8))[:4] == b"RIFF" and len(head) == 8:
        size = int.from_bytes(head[4:], "little")
        if size == 0:
            return 0
        end = file.tell() + size
        file.seek(end)
    return end - 8


def _mp4_end(file: BinaryIO, file_size: int) -> int:
    """ISO/IEC 14496-12: boxes of a 32-bit size and a type; size 1: 64 bits follow, size 0: to the end of the file."""
    start = 0
    while start < file_size:
        file.seek(start)
        head = file.read(16)
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        if size < header or not head[4:8].isalnum():
            return 0
        start += size
    return start
