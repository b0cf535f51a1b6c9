"""The wire format, schema 1: ``[topic, header, payload...]`` or ``["status", header]``; see docs/wire-format.md.

For programs with ZeroMQ sockets of their own; ``Subscriber`` and ``Publisher`` need nothing of it. A publisher sends
``[topic_name(...).encode(), encode_header(header), *payload]``, a reader gives what it receives to ``decode_message``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from lumabraid._errors import MessageError, SchemaError
from lumabraid._layout import MAX_SIDE, split_payload

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_PARTS",
    "SCHEMA",
    "STATUS_TOPIC",
    "UNSPECIFIED_COLOR",
    "Buffer",
    "Color",
    "Header",
    "PictureMessage",
    "Status",
    "decode_message",
    "encode_header",
    "topic_name",
]

SCHEMA = 1
"""Version of the wire format."""
STATUS_TOPIC = "status"
"""The topic of a ``Status``; all others are ``PICTURE/ENCODING``."""
MAX_HEADER_BYTES = 1 << 16
"""Largest header, and largest status."""
MAX_PARTS = 8
"""Most parts of a message, topic and header among them."""

Buffer = bytes | bytearray | memoryview
"""What a part of a message may be."""

_INT64_MAX = (1 << 63) - 1
_Count = Annotated[int, Meta(ge=0, le=_INT64_MAX)]
_CodePoint = Annotated[int, Meta(ge=0, le=255)]
_Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]
_Ratio = tuple[Annotated[int, Meta(ge=1, le=_INT64_MAX)], Annotated[int, Meta(ge=1, le=_INT64_MAX)]]
_StreamId = Annotated[str, Meta(min_length=1, max_length=64)]

_TOPIC = re.compile(rb"[a-z0-9_]{1,32}/[a-z0-9_]{1,32}")


class Color(Struct, frozen=True):
    """How code values become colour: code points of ITU-T H.273; 2 says nothing."""

    matrix: _CodePoint
    """MatrixCoefficients: 1 = BT.709, 5 and 6 = BT.601, 9 = BT.2020; 0 for RGB."""
    range: Literal["unspecified", "limited", "full"]
    """Which code values black and white stand at (8 bit: limited 16-235, full 0-255)."""
    primaries: _CodePoint
    """ColourPrimaries: 1 = BT.709 / sRGB."""
    transfer: _CodePoint
    """TransferCharacteristics: 1 = BT.709, 13 = sRGB, 16 = PQ, 18 = HLG."""


UNSPECIFIED_COLOR = Color(matrix=2, range="unspecified", primaries=2, transfer=2)
"""Says nothing."""


class Header(Struct, frozen=True, kw_only=True):
    """What is said of one picture. On the wire every key but those of ``extra`` must be there."""

    schema: int = SCHEMA
    """Version of the wire format."""
    stream: _StreamId = ""
    """Names one run of a publisher; a restarted publisher has another. Set on publishing, like ``seq``."""
    seq: _Count = 0
    """Number of this message among those published on its topic in this stream: 0, 1, 2, ... without a hole."""
    index: _Count
    """Of the captured frame this picture was made for; the same on every topic, with holes where one was dropped."""
    pts: Annotated[int, Meta(ge=-_INT64_MAX, le=_INT64_MAX)]
    """Presentation time in ``time_base`` units."""
    time_base: _Ratio
    """Seconds per unit of ``pts``: numerator, denominator."""
    captured_ns: _Count = 0
    """Wall clock when the frame was read: nanoseconds since 1970-01-01 UTC, 0 when unknown; as the next two."""
    fused_ns: _Count = 0
    published_ns: _Count = 0
    encoding: Annotated[str, Meta(max_length=32)]
    width: _Side
    height: _Side
    strides: Annotated[tuple[_Count, ...], Meta(max_length=4)] = ()
    """Bytes from one row to the next, for each plane; empty for a compressed encoding."""
    key_frame: bool = True
    """Can be decoded without the messages before it."""
    color: Color = UNSPECIFIED_COLOR
    """Of the samples as sent, after conversion or compression."""
    ratio_stops: float | None = None
    """log2 of over's exposure over under's."""
    sources: Annotated[tuple[_Count, ...], Meta(max_length=8)] = ()
    """Indices of the captured frames in it: under, over."""
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Mean of the confidence map; None when unknown."""
    dropped: _Count = 0
    """Frames that were captured but given up in this stream so far."""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keys of the header this version does not know."""


class Status(Struct, frozen=True, kw_only=True):
    """What a publisher says of itself every second, and once more when it ends."""

    schema: int = SCHEMA
    stream: _StreamId
    seq: _Count
    """Number of this status in this stream."""
    published_ns: _Count
    """Wall clock: nanoseconds since 1970-01-01 UTC."""
    started_ns: _Count
    """Wall clock when this stream began."""
    ended: bool = False
    """True in the last message of a stream that came to its end."""
    frame_rate: _Ratio | None = None
    """Nominal frames per second: numerator, denominator; None when unknown."""
    topics: dict[str, _Count]
    """Every topic on offer, with the number of messages published on it so far."""
    captured: _Count = 0
    """Frames so far, and what became of them; ``captured`` may run ahead of the sum of the other three."""
    fused: _Count = 0
    dropped: _Count = 0
    failed: _Count = 0
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keys this version does not know."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureMessage:
    """A decoded picture message."""

    topic: str
    header: Header
    payload: tuple[memoryview, ...]
    """One flat view of bytes for each plane, or the one of a compressed picture; into the parts decoded, not copied."""


_Head = TypeVar("_Head", Header, Status)

_decode_map = msgspec.msgpack.Decoder(dict[str, Any]).decode
_encode_map = msgspec.msgpack.Encoder().encode


def topic_name(picture: str, encoding: str) -> str:
    """The topic a picture (``fused``, ``under``, ``over``, ``confidence``) is published on in an encoding."""
    return f"{picture}/{encoding}"


def encode_header(header: Header | Status) -> bytes:
    """The header's part of a message, ``extra`` beside the known keys.

    Raises:
        MessageError: ``extra`` holds what MessagePack cannot, or makes the header too large.
    """
    fields = msgspec.structs.asdict(header)
    extra = fields.pop("extra")
    try:
        encoded = _encode_map({**extra, **fields})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MessageError(f"the header cannot be written as MessagePack: {error}") from None
    if len(encoded) > MAX_HEADER_BYTES:
        raise MessageError(f"the header has {len(encoded)} bytes: at most {MAX_HEADER_BYTES} are allowed")
    return encoded


def decode_message(parts: Sequence[Buffer]) -> PictureMessage | Status:
    """A message as received, checked; payloads are views into ``parts``.

    Args:
        parts: the parts of one multipart message, contiguous bytes.

    Raises:
        SchemaError: it is of another version of the wire format.
        MessageError: it does not follow the wire format. Nothing else is raised, whatever the bytes.
    """
    if not 2 <= len(parts) <= MAX_PARTS:
        raise MessageError(f"a message has 2 to {MAX_PARTS} parts, got {len(parts)}")
    topic, head, *payload = parts
    if topic == STATUS_TOPIC.encode():
        if payload:
            raise MessageError(f"a status has no payload, got {len(payload)} parts")
        return _decode_head(head, Status)
    if len(topic) > 65 or not _TOPIC.fullmatch(topic):
        raise MessageError(f"a topic is 'status' or 'picture/encoding', got {bytes(topic[:65])!r}")
    name = bytes(topic).decode("ascii")
    header = _decode_head(head, Header)
    if name.split("/")[1] != header.encoding:
        raise MessageError(f"topic {name!r} carries a header with encoding {header.encoding!r}")
    views = [memoryview(part).cast("B") for part in payload]
    return PictureMessage(
        name, header, split_payload(header.encoding, header.width, header.height, header.strides, views)
    )


def _decode_head(encoded: Buffer, kind: type[_Head]) -> _Head:
    """The header or status in these bytes."""
    name = kind.__name__.lower()
    if len(encoded) > MAX_HEADER_BYTES:
        raise MessageError(f"the {name} has {len(encoded)} bytes: more than {MAX_HEADER_BYTES} are not accepted")
    try:
        found = _decode_map(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"the {name} is not a MessagePack map with text keys: {error}") from None
    schema = found.get("schema")
    if isinstance(schema, int) and schema != SCHEMA:
        raise SchemaError(f"the {name} is of schema {schema}, this lumabraid reads {SCHEMA}: update the older side")
    known = [field for field in kind.__struct_fields__ if field != "extra"]
    if missing := [field for field in known if field not in found]:
        raise MessageError(f"the {name} lacks {', '.join(missing)}")
    extra = {key: value for key, value in found.items() if key not in known}
    try:
        head = msgspec.convert({**{key: found[key] for key in known}, "extra": extra}, kind)
    except msgspec.ValidationError as error:
        raise MessageError(f"the {name} is wrong: {error}") from None
    if isinstance(head, Header) and head.ratio_stops is not None and not math.isfinite(head.ratio_stops):
        raise MessageError(
            f"the header is wrong: Expected a finite `float`, got {head.ratio_stops} - at `$.ratio_stops`"
        )
    return head
