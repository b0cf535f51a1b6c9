"""What a person calls a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.live_source import capture_settings, source_argument, source_title
from stages.errors import ConfigError


@pytest.mark.parametrize(
    ("source", "kind", "settings"),
    [
        ("0", "camera", {"device": 0}),
        ("/dev/video2", "camera", {"device": "/dev/video2"}),
        ("rtsp://camera/stream", "stream", {"input": "rtsp://camera/stream"}),
        ("https://host/live.m3u8", "stream", {"input": "https://host/live.m3u8"}),
        ("simulated:maps/room.hdr", "simulated", {"map": "maps/room.hdr", "seconds": None, "realtime": True}),
    ],
)
def test_a_source_is_recognised_by_its_form(source: str, kind: str, settings: dict[str, object]) -> None:
    made = capture_settings(source)
    assert made["kind"] == kind
    assert settings.items() <= made.items()


def test_a_file_is_played_at_its_own_pace(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert capture_settings(str(clip)) == {"kind": "file", "input": str(clip), "realtime": True}


def test_exposures_are_asked_of_what_can_set_them() -> None:
    assert capture_settings("simulated:room.hdr")["exposure"] == {}
    asked = capture_settings("0", stops=4.0, bias_stops=-1.0)
    assert asked["exposure"] == {"stops": 4.0, "bias_stops": -1.0}
    with pytest.raises(ConfigError, match=r"--stops and --bias need a camera .* rtsp://camera/stream is a stream"):
        capture_settings("rtsp://me:secret@camera/stream", stops=4.0)


def test_what_is_nothing_is_told_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no source 'camera': neither a camera's number, a device, a URL"):
        capture_settings("camera")


@pytest.mark.parametrize("source", ["simulated", "simulated:"])
def test_a_simulated_camera_needs_a_map(source: str) -> None:
    with pytest.raises(
        ConfigError, match=r"name an equirectangular \.hdr file, as in --source simulated:room\.hdr; http"
    ):
        capture_settings(source)


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("1", "camera 1"),
        ("/dev/video2", "/dev/video2"),
        ("rtsp://me:secret@camera/stream?token=1", "rtsp://camera/stream"),
        ("simulated:maps/room.hdr", "simulated camera in room.hdr"),
        ("clips/clip.mp4", "clip.mp4"),
    ],
)
def test_a_title_is_short_and_tells_no_secret(source: str, title: str) -> None:
    assert source_title(source) == title


def test_a_source_to_copy_is_quoted_and_tells_no_secret() -> None:
    assert source_argument("0") == "0"
    assert source_argument("simulated:my room.hdr") == "'simulated:my room.hdr'"
    assert source_argument("rtsp://me:secret@camera/stream") == "rtsp://camera/stream"
