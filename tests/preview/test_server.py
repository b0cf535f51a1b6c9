"""The preview's server, seen by viewers without a browser."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from aiohttp import web

from stages.preview import slide
from stages.preview.browser import BrowserConfig
from stages.preview.drawing import jpeg
from tests.preview.conftest import (
    INFO,
    PATIENCE_S,
    FakeBracket,
    Stand,
    Viewer,
    flat,
    fused_frame,
    picture,
    play,
    viewer,
)


def get(url: str | None, path: str, **headers: str) -> tuple[int, Any, bytes]:
    """(status, headers, body)."""
    request = urllib.request.Request(f"{url}{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def post(url: str | None, body: object, **headers: str) -> tuple[int, Any]:
    content_type = headers.pop("content_type", "application/json")
    request = urllib.request.Request(
        f"{url}bracket", json.dumps(body).encode(), {"Content-Type": content_type, **headers}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a thread's name with every picture that is encoded."""
    names: list[str] = []

    def counting(bgr: Any, quality: int) -> bytes:
        names.append(threading.current_thread().name)
        return jpeg(bgr, quality)

    monkeypatch.setattr(slide, "jpeg", counting)
    return names


def test_frames_pass_through_the_stage_and_are_shown(stand: Stand) -> None:
    stage = stand.stage()
    assert stage.url is None
    assert stage.open(INFO) is INFO
    frame = fused_frame(0)
    assert list(stage.process(frame)) == [frame]

    async def scene() -> None:
        async with viewer(stage.url) as looking:
            await looking.look("fused", "single")
            received = await looking.picture()
            assert received.header["index"] == frame.index
            assert received.header["offered"] == ["fused", "under", "over", "single"]
            assert received.header["exposures"] == [{"time_us": 2000, "gain": 1}, {"time_us": 16000, "gain": 2}]
            assert received.header["captured_ms"] == frame.captured_ns / 1e6
            assert abs(received.pixels("single").mean() - 0.9 * 255) < 3

    play(scene())
    stage.close()
    assert stage.url is None


def test_nothing_is_encoded_while_nobody_looks(stand: Stand, encoded: list[str]) -> None:
    server = stand.server()

    async def scene() -> None:
        for index in range(5):
            server.show(picture(index))
        async with viewer(server.url) as connected:
            assert (await connected.said("figures"))["picture"] == 4
            server.show(picture(5))
            await connected.no_picture(for_s=0.2)
            assert encoded == []
            await connected.look("fused")
            assert (await connected.picture()).header["index"] == 5
            assert len(encoded) == 1
            await connected.look()
            await connected.said("figures")
            server.show(picture(6))
            await connected.no_picture(for_s=0.2)
            assert len(encoded) == 1

    play(scene())


def test_each_view_is_encoded_once_for_all_viewers_outside_the_pipelines_thread(
    stand: Stand, encoded: list[str]
) -> None:
    server = stand.server()

    async def scene() -> None:
        async with viewer(server.url) as one, viewer(server.url) as two, viewer(server.url) as three:
            for looking in (one, two, three):
                await looking.look("fused")
            await three.look("fused", "over", histograms=True)
            server.show(picture(0))
            received = [await looking.picture() for looking in (one, two, three)]
            assert [set(each.jpegs) for each in received] == [{"fused"}, {"fused"}, {"fused", "over"}]
            assert len({each.jpegs["fused"] for each in received}) == 1
            assert set(received[2].header["histograms"]) == {"under", "over", "fused"}
            assert len(encoded) == 2
            assert all(name.startswith("preview.encoder") for name in encoded)

    play(scene())


def test_a_slow_viewer_gets_the_newest_picture_and_no_queue(stand: Stand) -> None:
    server = stand.server()

    async def next_index(looking: Viewer) -> int:
        index: int = (await looking.picture()).header["index"]
        return index

    async def scene() -> None:
        async with viewer(server.url) as slow, viewer(server.url) as quick:
            await slow.look("fused")
            await quick.look("fused")
            for index in range(20):
                server.show(picture(index))
                assert await next_index(quick) == index
                await quick.drawn()
            assert [await next_index(slow), await next_index(slow)] == [0, 1]
            await slow.no_picture(for_s=0.2)
            await slow.drawn()
            assert await next_index(slow) == 19

    play(scene())


def test_a_second_view_of_the_same_picture_comes_when_it_is_asked_for(stand: Stand) -> None:
    server = stand.server()
    server.show(picture(0))

    async def scene() -> None:
        async with viewer(server.url) as looking:
            await looking.look("fused")
            assert set((await looking.picture()).jpegs) == {"fused"}
            await looking.look("fused", "under")
            assert set((await looking.picture()).jpegs) == {"fused", "under"}

    play(scene())


def test_a_view_that_the_stream_does_not_carry_is_left_out(stand: Stand) -> None:
    server = stand.server()
    server.show(picture(0, under=None, over=None, single=None))

    async def scene() -> None:
        async with viewer(server.url) as looking:
            await looking.look("fused", "under", histograms=True)
            received = await looking.picture()
            assert set(received.jpegs) == set(received.header["histograms"]) == {"fused"}

    play(scene())


def test_figures_tell_pace_age_the_pipelines_account_and_the_bracket(stand: Stand) -> None:
    server = stand.server(status=lambda: {"fused": 7, "dropped": {"pairing": {"no partner": 2}}}, bracket=FakeBracket())
    before: Any = json.loads(get(server.url, "status")[2])
    assert (before["picture"], before["picture_age_s"], before["fps"]) == (None, None, 0)
    for index in range(5):
        server.show(picture(index))
        time.sleep(0.01)
    after: Any = json.loads(get(server.url, "status")[2])
    assert after["picture"] == 4
    assert 0 <= after["picture_age_s"] < PATIENCE_S
    assert 0 < after["fps"] < 101
    assert after["pipeline"]["dropped"] == {"pairing": {"no partner": 2}}
    assert after["bracket"]["settings"] == {"auto": True, "stops": None, "bias_stops": 0}
    assert after["bracket"]["control_delay_frames"] == 3


def test_a_ping_is_answered_with_the_servers_clock(stand: Stand) -> None:
    server = stand.server()

    async def scene() -> None:
        async with viewer(server.url) as looking:
            await looking.socket.send_json({"type": "ping", "sent_ms": 12.5})
            before_ms, pong = time.time() * 1e3, await looking.said("pong")
            assert pong["sent_ms"] == 12.5
            assert abs(pong["server_ms"] - before_ms) < 1e3 * PATIENCE_S

    play(scene())


def test_a_viewer_that_talks_nonsense_is_sent_away_and_the_others_stay(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    server = stand.server()

    async def scene() -> None:
        async with viewer(server.url) as good:
            await good.look("fused")
            for nonsense in ("{", "[]", '{"type":"look"}', "[" * 4000, "x" * 5000):
                async with viewer(server.url) as bad:
                    await bad.socket.send_str(nonsense)
                    async for _ in bad.socket:
                        pass
                    assert bad.socket.closed
            server.show(picture(0))
            assert (await good.picture()).header["index"] == 0

    play(scene())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_snapshot_is_the_whole_picture_with_a_name_that_tells_its_time(stand: Stand) -> None:
    server = stand.server(largest_side=16)
    assert get(server.url, "snapshot.png")[0] == 503
    server.show(picture(0, fused=flat(0.5, width=65, height=49)))
    for kind in ("png", "jpg"):
        status, headers, body = get(server.url, f"snapshot.{kind}")
        assert status == 200
        assert re.fullmatch(
            rf'attachment; filename="lumabraid-\d{{8}}-\d{{6}}-\d{{3}}\.{kind}"', headers["Content-Disposition"]
        )
        decoded = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert decoded.shape == (49, 65, 3)
        assert np.abs(decoded.astype(int) - 128).max() <= 1


def test_a_snapshot_of_ten_bits_keeps_them(stand: Stand) -> None:
    server = stand.server()
    server.show(picture(0, fused=flat(0.5015, bit_depth=10)))
    decoded = cv2.imdecode(np.frombuffer(get(server.url, "snapshot.png")[2], np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.dtype == np.uint16
    assert abs(int(decoded[0, 0, 1]) - 0.5015 * 65535) < 65535 / 876


def test_the_bracket_is_steered_and_its_refusal_is_told(stand: Stand) -> None:
    bracket = FakeBracket()
    server = stand.server(bracket=bracket)
    status, state = post(server.url, {"auto": False, "stops": 2.5, "bias_stops": -1})
    assert status == 200
    assert state["settings"] == {"auto": False, "stops": 2.5, "bias_stops": -1}
    assert (bracket.settings.auto, bracket.settings.stops, bracket.settings.bias_stops) == (False, 2.5, -1)
    status, refusal = post(server.url, {"auto": False, "stops": 9, "bias_stops": 0})
    assert (status, json.loads(refusal)) == (400, {"error": "stops must lie between 1 and 6, got 9"})
    assert bracket.settings.stops == 2.5
    nothings: list[object] = [{}, [], {"auto": 1, "stops": "2", "bias_stops": None}]
    for nonsense in nothings:
        assert post(server.url, nonsense)[0] == 400
    assert post(server.url, {"auto": True, "stops": None, "bias_stops": 0}, content_type="text/plain")[0] == 415
    assert post(server.url, "x" * 5000)[0] == 413
    assert post(stand.server().url, {"auto": True, "stops": None, "bias_stops": 0})[0] == 404


def test_other_sites_neither_watch_nor_steer(stand: Stand) -> None:
    bracket = FakeBracket()
    server = stand.server(bracket=bracket)
    assert server.url is not None
    here = server.url.removeprefix("http://").rstrip("/")
    wanted = {"auto": False, "stops": None, "bias_stops": 0}
    for origin in ("http://evil.example", "null", f"http://{here}0", f"http://{here}.evil.example"):
        assert post(server.url, wanted, Origin=origin)[0] == 403
    assert bracket.settings.auto
    assert post(server.url, wanted, Origin=f"http://{here}")[0] == 200
    # A name of theirs that was made to point here.
    for name in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "[::1"):
        assert get(server.url, "status", Host=name)[0] in (400, 403)
    for name in ("localhost", "127.0.0.1:9999", "[::1]:80", "192.168.0.7", socket.gethostname()):
        assert get(server.url, "status", Host=name)[0] == 200
    assert get(server.url, "snapshot.png", Sec_Fetch_Site="cross-site")[0] == 403
    assert get(server.url, "", Sec_Fetch_Site="cross-site")[0] == 200

    async def scene() -> None:
        for origin in ("http://evil.example", "null"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                async with viewer(server.url, Origin=origin):
                    pass
        async with viewer(server.url, Origin=f"http://{here}") as welcome:
            await welcome.said("figures")

    play(scene())


def test_a_name_can_be_added(stand: Stand) -> None:
    server = stand.server(names=["camera.example"])
    assert get(server.url, "status", Host="camera.example")[0] == 200


def test_the_page_comes_whole_and_tells_the_browser_to_load_nothing_else(stand: Stand) -> None:
    server = stand.server()
    status, headers, page = get(server.url, "")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    named = re.findall(rb'(?:href|src)="([a-z]+\.(?:js|css|svg))"', page)
    script = get(server.url, "app.js")[2]
    named += re.findall(rb'from "\./([a-z]+\.js)"', script)
    assert len(named) >= 8
    for name in {name.decode() for name in named}:
        assert get(server.url, name)[0] == 200
    for absent in ("page", "page/", "server.py", "../server.py", "%2e%2e/server.py", "favicon.ico"):
        assert get(server.url, absent)[0] == 404


@pytest.mark.parametrize("setting", [{"jpeg_quality": 0}, {"jpeg_quality": 101}, {"largest_side": 15}])
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(setting))} must lie in .*, got {next(iter(setting.values()))}"):
        BrowserConfig(**setting)


def test_closing_sends_the_viewers_home_and_frees_the_port(stand: Stand) -> None:
    server = stand.server()
    assert server.url is not None
    address = server.url.removeprefix("http://").rstrip("/")

    async def scene() -> None:
        async with viewer(server.url) as looking:
            await looking.look("fused")
            server.show(picture(0))
            await looking.picture()
            closing = asyncio.get_running_loop().run_in_executor(None, server.close)
            while not looking.socket.closed:
                await looking.socket.receive(PATIENCE_S)
            assert looking.socket.close_code == aiohttp.WSCloseCode.GOING_AWAY
            await closing

    play(scene())
    server.show(picture(1))
    stand.server(address)


def test_a_viewer_that_goes_before_it_is_let_in_is_no_error(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(*_: object) -> None:
        raise ConnectionResetError

    server = stand.server()

    async def scene() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(web.WebSocketResponse, "prepare", gone)
            with pytest.raises(aiohttp.ClientError):
                async with viewer(server.url):
                    pass
        async with viewer(server.url) as welcome:
            await welcome.said("figures")

    play(scene())
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_viewer_that_vanished_does_not_hold_the_close_up(stand: Stand) -> None:
    server = stand.server()

    async def scene() -> None:
        async with viewer(server.url) as looking:
            await looking.look("fused")
            # It reads nothing and answers no goodbye.
            server.show(picture(0))
            await asyncio.sleep(0.05)
            server.close()
            assert not any(thread.name.startswith("preview") for thread in threading.enumerate())

    play(scene())
