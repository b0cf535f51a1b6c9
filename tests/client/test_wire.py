"""The wire format: what goes out comes in, and no bytes whatever do harm."""

from __future__ import annotations

import math
from typing import Any

import lumabraid
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lumabraid import Color, Header, MessageError, SchemaError, Status
from lumabraid._layout import MAX_SIDE, plane_sizes
from lumabraid.wire import PictureMessage, decode_message, encode_header

HEADER = Header(
    stream="4f2a",
    seq=7,
    index=9,
    pts=-3,
    time_base=(1, 90_000),
    captured_ns=1_700_000_000_000_000_000,
    fused_ns=1_700_000_000_010_000_000,
    published_ns=1_700_000_000_020_000_000,
    encoding="yuv420p",
    width=5,
    height=3,
    strides=(8, 3, 4),
    color=Color(matrix=1, range="limited", primaries=1, transfer=1),
    ratio_stops=3.5,
    sources=(8, 9),
    confidence=0.75,
    dropped=2,
    extra={"gps": [52.1, 4.3], "note": {"lens": "left"}},
)
PAYLOAD = bytes(range(8 * 3 + 3 * 2 + 4 * 2))
STATUS = Status(
    stream="4f2a",
    seq=1,
    published_ns=2,
    started_ns=1,
    topics={"fused/yuv420p": 8},
    captured=10,
    fused=8,
    dropped=2,
    extra={"temperature_c": 41.5},
)


def nested(depth: int = 900) -> list[Any]:
    """A list in a list in a list ..."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def header_with(**changes: Any) -> bytes:
    """HEADER as a map with these keys changed; Ellipsis takes a key away."""
    fields = {**msgspec.msgpack.decode(encode_header(HEADER)), **changes}
    return msgspec.msgpack.encode({key: value for key, value in fields.items() if value is not ...})


def decode_header(encoded: bytes) -> Header:
    message = decode_message([b"fused/yuv420p", encoded, PAYLOAD])
    assert isinstance(message, PictureMessage)
    return message.header


def test_a_picture_comes_back_as_it_was() -> None:
    message = decode_message([b"fused/yuv420p", encode_header(HEADER), PAYLOAD])
    assert isinstance(message, PictureMessage)
    assert message.topic == "fused/yuv420p"
    assert message.header == HEADER
    assert b"".join(message.payload) == PAYLOAD


def test_a_status_comes_back_as_it_was() -> None:
    assert decode_message([b"status", encode_header(STATUS)]) == STATUS


def test_planes_come_in_one_part_or_in_one_each() -> None:
    planes = [PAYLOAD[:24], PAYLOAD[24:30], PAYLOAD[30:]]
    for parts in ([PAYLOAD], planes):
        message = decode_message([b"fused/yuv420p", encode_header(HEADER), *parts])
        assert isinstance(message, PictureMessage)
        assert [bytes(plane) for plane in message.payload] == planes


def test_keys_of_a_later_version_are_kept() -> None:
    assert decode_header(header_with(lens="left")).extra == {**HEADER.extra, "lens": "left"}


def test_a_missing_key_is_named() -> None:
    with pytest.raises(MessageError, match="the header lacks pts, sources"):
        decode_header(header_with(pts=..., sources=...))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"schema": "one"}, r"at `\$\.schema`"),
        ({"schema": [nested()]}, r"at `\$\.schema`"),
        ({"seq": "7"}, r"Expected `int`, got `str` - at `\$\.seq`"),
        ({"seq": -1}, r"at `\$\.seq`"),
        ({"width": 0}, r"at `\$\.width`"),
        ({"height": MAX_SIDE + 1}, r"at `\$\.height`"),
        ({"time_base": [1, 0]}, r"at `\$\.time_base\[1\]`"),
        ({"time_base": [1]}, r"at `\$\.time_base`"),
        ({"color": {"matrix": 1, "range": "full", "primaries": 1}}, r"`transfer` - at `\$\.color`"),
        ({"color": {"matrix": 1, "range": "wide", "primaries": 1, "transfer": 1}}, r"at `\$\.color\.range`"),
        ({"confidence": math.nan}, r"at `\$\.confidence`"),
        ({"confidence": 1.5}, r"at `\$\.confidence`"),
        ({"ratio_stops": math.inf}, r"at `\$\.ratio_stops`"),
        ({"stream": ""}, r"at `\$\.stream`"),
        ({"published_ns": 1 << 64 - 1}, r"at `\$\.published_ns`"),
    ],
)
def test_a_wrong_value_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(MessageError, match=named):
        decode_header(header_with(**changes))


def test_another_schema_is_told_apart_from_damage() -> None:
    with pytest.raises(SchemaError, match="is of schema 2, this lumabraid reads 1"):
        decode_header(msgspec.msgpack.encode({"schema": 2, "anything": "else"}))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "2 to 8 parts, got 0"),
        ([b"fused/yuv420p"], "2 to 8 parts, got 1"),
        ([b"fused/yuv420p", encode_header(HEADER), *[b"x"] * 7], "2 to 8 parts, got 9"),
        ([b"fused/yuv420p", encode_header(HEADER)], r"is \[24, 6, 8\] bytes, got parts of \[\]"),
        ([b"fused/yuv420p", encode_header(HEADER), PAYLOAD[:-1]], r"got parts of \[37\]"),
        ([b"fused/yuv420p", encode_header(HEADER), PAYLOAD, b""], r"got parts of \[38, 0\]"),
        ([b"fused/bgr8", encode_header(HEADER), PAYLOAD], "'fused/bgr8' carries a header with encoding 'yuv420p'"),
        ([b"../etc/passwd", encode_header(HEADER), PAYLOAD], "a topic is"),
        ([b"fused/yuv420p", b"\x93\x01\x02\x03", PAYLOAD], "not a MessagePack map"),
        ([b"fused/yuv420p", b"\x81\xa1\xff\x01", PAYLOAD], "not a MessagePack map"),
        ([b"fused/yuv420p", b"\x81\xa1a" + b"\x91" * 60_000, PAYLOAD], "not a MessagePack map"),
        ([b"fused/yuv420p", bytes(100_000), PAYLOAD], "the header has 100000 bytes"),
        ([b"fused/yuv420p", header_with(strides=[4, 3, 4]), PAYLOAD], "cannot have stride 4"),
        ([b"fused/yuv420p", header_with(strides=[8]), PAYLOAD], "3 planes, but the header gives 1 strides"),
        ([b"fused/webp", header_with(encoding="webp"), PAYLOAD], "unknown encoding 'webp'"),
        ([b"fused/jpeg", header_with(encoding="jpeg", strides=[]), b""], "one part that is not empty"),
        ([b"status", encode_header(STATUS), b"x"], "a status has no payload"),
    ],
)
def test_a_malformed_message_says_what_is_wrong(parts: list[bytes], said: str) -> None:
    with pytest.raises(MessageError, match=said):
        decode_message(parts)


def test_a_header_that_cannot_be_sent_is_refused() -> None:
    for extra in ({"socket": object()}, {"long": "x" * 70_000}, {"big": 1 << 80}):
        with pytest.raises(MessageError):
            encode_header(msgspec.structs.replace(HEADER, extra=extra))


def test_odd_sizes_round_chroma_up() -> None:
    assert plane_sizes("yuv420p", 5, 3) == ((3, 5), (2, 3), (2, 3))
    assert plane_sizes("yuv420p10le", 5, 3) == ((3, 10), (2, 6), (2, 6))


VALID = [
    [b"fused/yuv420p", encode_header(HEADER), PAYLOAD],
    [b"fused/jpeg", header_with(encoding="jpeg", strides=[]), b"\xff\xd8"],
    [b"status", encode_header(STATUS)],
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutated_messages(draw: st.DrawFn) -> list[bytes]:
    """A valid message with parts lost, doubled or swapped, bytes changed, or strange values under known keys."""
    parts = list(draw(st.sampled_from(VALID)))
    if draw(st.booleans()):
        fields = msgspec.msgpack.decode(parts[1])
        fields.update(draw(st.dictionaries(st.sampled_from(sorted(fields)), VALUES, max_size=3)))
        parts[1] = msgspec.msgpack.encode(fields)
    for _ in range(draw(st.integers(0, 3))):
        index = draw(st.integers(0, len(parts) - 1))
        part = parts[index]
        start, end = sorted((draw(st.integers(0, len(part))), draw(st.integers(0, len(part)))))
        match draw(st.sampled_from(["bytes", "cut", "drop", "double", "swap"])):
            case "bytes":
                parts[index] = part[:start] + draw(st.binary(max_size=8)) + part[min(start + 4, end) :]
            case "cut":
                parts[index] = part[:start] + part[end:]
            case "drop" if len(parts) > 1:
                del parts[index]
            case "double":
                parts.insert(index, part)
            case "swap":
                parts[index], parts[0] = parts[0], parts[index]
    return parts


@settings(max_examples=500, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_messages() | st.lists(st.binary(max_size=64), max_size=10))
def test_any_bytes_give_a_message_or_a_typed_error(parts: list[bytes]) -> None:
    try:
        message = decode_message(parts)
    except lumabraid.LumabraidError:
        return
    # What was understood can be said again.
    encode_header(message if isinstance(message, Status) else message.header)
