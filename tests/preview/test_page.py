"""The preview page in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stages.preview.picture import PreviewPicture
from stages.preview.server import PreviewServer
from tests.preview.conftest import PATIENCE_S, FakeBracket, Stand, flat, picture

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=1e3 * PATIENCE_S)

Open = Callable[..., Any]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("neither chromium nor google-chrome is on the PATH")
    # As root, as in a container, Chromium runs only without its sandbox.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, stand: Stand) -> Iterator[Open]:
    """Opens a server's page; its scripts must not fail, and it must load nothing from elsewhere."""
    contexts, mistakes, requests = [], [], []

    def open_page(server: PreviewServer, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(1e3 * PATIENCE_S)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(error))
        page.on("console", lambda message: "Content Security" in message.text and mistakes.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(server.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert mistakes == []
    assert [url for url in requests if not url.startswith(("http://127.0.0.1:", "blob:"))] == []


def wait_until(page: Any, condition: str, *arguments: Any) -> None:
    page.wait_for_function(condition, arg=list(arguments), timeout=1e3 * PATIENCE_S)


def brightness(page: Any, across: float, down: float = 0.3) -> float:
    """Of a place in the picture as it is on the screen, 0 to 255."""
    page.wait_for_timeout(100)
    seen = cv2.imdecode(np.frombuffer(page.locator("#frame").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    height, width = seen.shape[:2]
    return float(seen[int(down * height), int(across * width)].mean())


def test_the_picture_moves_and_its_figures_are_told(stand: Stand, open_page: Open) -> None:
    server = stand.server(
        status=lambda: {
            "input": "camera <b>1</b>",
            "captured": 1200,
            "fused": 1188,
            "dropped": {"pairing": {"no partner within four frames": 12}},
            "stages": {"fusion": {"latency": {"p50_ms": 31.2}}},
        }
    )
    stand.stream(server)
    page = open_page(server)
    expect(page.locator("#state")).to_have_text("Live")
    shade = "() => document.getElementById('fused').getContext('2d').getImageData(9, 9, 1, 1).data[0]"
    wait_until(page, f"([before]) => ({shade})() !== before", page.evaluate(shade))
    expect(page.locator("#notice")).to_be_hidden()
    for figure in ("fps", "shown-fps", "fused-latency", "screen-latency"):
        expect(page.locator(f"#{figure}")).to_have_text(re.compile(r"^[1-9]\d*(\.\d)?$"))
    fused_ms, screen_ms = (int(page.locator(f"#{figure}-latency").inner_text()) for figure in ("fused", "screen"))
    assert fused_ms == pytest.approx(40, abs=1)
    assert screen_ms >= 40
    expect(page.locator("#under-time")).to_have_text("1/500 s")
    expect(page.locator("#over-time")).to_have_text("1/63 s")
    expect(page.locator("#over-gain")).to_have_text("gain 2.0")
    expect(page.locator("#ratio")).to_have_text("3.0")
    expect(page.locator("#sum")).to_have_text("1,188 of 1,200 fused, 12 (1.0 %) dropped")
    expect(page.locator("#drop-rows")).to_have_text("pairing no partner within four frames12")
    expect(page.locator("#stage-rows")).to_have_text("fusion31 ms")
    expect(page.locator("#source")).to_have_text("camera <b>1</b>, 64 \u00d7 48, 8 bit")
    for view in ("under", "over", "fused"):
        expect(page.locator(f"#histogram-{view} path")).to_have_attribute("d", re.compile("^M0 100V.*Z$"))


def test_the_wipe_follows_keys_and_mouse_and_its_picture_is_sent_only_while_it_is_on(
    stand: Stand, open_page: Open
) -> None:
    server = stand.server()
    stand.stream(server, lambda index: picture(16))
    asked: list[list[str]] = []

    def note(payload: str) -> None:
        message = json.loads(payload)
        if message["type"] == "look":
            asked.append(message["views"])

    page = open_page(server)
    page.on("websocket", lambda socket: socket.on("framesent", note))
    page.reload()
    fused, under, over = 0.45 * 255, 0.1 * 255, 0.9 * 255
    expect(page.locator("#wipe")).to_be_hidden()
    page.get_by_label("Under").check()
    expect(page.locator("#second")).to_be_visible()
    assert brightness(page, 0.25) == pytest.approx(fused, abs=6)
    assert brightness(page, 0.75) == pytest.approx(under, abs=6)
    page.get_by_label("Over").check()
    wait_until(page, "() => document.getElementById('second').getContext('2d').getImageData(9,9,1,1).data[0] > 200")
    assert brightness(page, 0.75) == pytest.approx(over, abs=6)

    handle = page.get_by_role("slider", name="Wipe")
    box = page.locator("#frame").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle)
    assert float(handle.get_attribute("aria-valuenow")) == pytest.approx(20, abs=1)
    assert brightness(page, 0.4) == pytest.approx(over, abs=6)
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"
    assert brightness(page, 0.9) == pytest.approx(fused, abs=6)
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowLeft")
    assert handle.get_attribute("aria-valuenow") == "88"
    page.get_by_label("Off").check()
    expect(page.locator("#wipe")).to_be_hidden()
    page.wait_for_timeout(100)
    assert asked[-1] == ["fused"]
    assert [views for views in asked if len(views) > 1] == [["fused", "under"], ["fused", "over"]]


def test_what_the_stream_does_not_carry_cannot_be_compared(stand: Stand, open_page: Open) -> None:
    server = stand.server()
    server.show(picture(0, under=None, over=None, exposures=(None, None)))
    page = open_page(server)
    expect(page.get_by_label("Single")).to_be_enabled()
    expect(page.get_by_label("Under")).to_be_disabled()
    expect(page.locator("#under-time")).to_have_text("\u2013")
    expect(page.locator("#bracket")).to_be_hidden()
    expect(page.locator("#frames")).to_be_hidden()
    expect(page.locator("#stages")).to_be_hidden()


def test_a_subscribers_page_tells_what_was_received(stand: Stand, open_page: Open) -> None:
    server = stand.server(status=lambda: {"frames": 1200, "fps": 25.0, "lost": 3, "skipped": 0, "malformed": 0})
    expect(open_page(server).locator("#sum")).to_have_text("1,200 received, 3 lost")


def test_a_snapshot_is_downloaded(stand: Stand, open_page: Open, tmp_path: Path) -> None:
    server = stand.server(largest_side=16)
    server.show(picture(0))
    page = open_page(server)
    expect(page.locator("#state")).to_have_text("Live")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Snapshot").click()
    assert re.fullmatch(r"lumabraid-\d{8}-\d{6}-\d{3}\.png", waiting.value.suggested_filename)
    waiting.value.save_as(tmp_path / "snapshot.png")
    pixels = cv2.imread(str(tmp_path / "snapshot.png"))
    assert pixels is not None
    assert pixels.shape == (48, 64, 3)


def test_the_controls_reach_the_bracket_and_tell_its_answer(stand: Stand, open_page: Open) -> None:
    bracket = FakeBracket()
    page = open_page(stand.server(bracket=bracket))
    answer = page.locator("#answer")
    expect(answer).to_have_text("Both exposures suit the scene. The camera answers after 3 frames.")
    page.get_by_role("switch", name="As many stops as the scene needs").uncheck()
    page.get_by_label("Stops between").fill("2.5")
    page.get_by_label("Brightness").fill("-1")
    page.get_by_role("switch", name="Follow the light").uncheck()
    until(
        page, lambda: (bracket.settings.auto, bracket.settings.stops, bracket.settings.bias_stops) == (False, 2.5, -1)
    )
    expect(answer).to_have_text("Holding both exposures. The camera answers after 3 frames.")
    page.get_by_label("Stops between").fill("8")
    expect(answer).to_have_text("Refused: stops must lie between 1 and 6, got 8")
    assert bracket.settings.stops == 2.5
    expect(page.locator("#stops-value")).to_have_text("2.50 stops")  # back to what holds
    page.get_by_role("switch", name="As many stops as the scene needs").check()
    until(page, lambda: bracket.settings.stops is None)
    page.get_by_role("switch", name="Follow the light").check()
    expect(answer).to_contain_text("Both exposures suit the scene.")


def test_what_could_not_be_sent_is_told_until_the_page_is_back(stand: Stand, open_page: Open) -> None:
    server = stand.server(bracket=FakeBracket())
    assert server.url is not None
    page = open_page(server)
    answer = page.locator("#answer")
    expect(answer).to_contain_text("Both exposures suit the scene.")
    server.close()
    expect(page.locator("#state")).to_have_text("Connection lost")
    page.get_by_label("Brightness").fill("-1")
    expect(answer).to_have_text("Not sent: the connection is lost.")
    stand.server(server.url.removeprefix("http://").rstrip("/"), bracket=FakeBracket())
    expect(answer).to_contain_text("Both exposures suit the scene.")
    expect(page.locator("#bias-value")).to_have_text("0.00 stops")


def until(page: Any, condition: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE_S * 20)):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("what was waited for never happened")


def test_a_page_that_waits_or_stalls_says_so_and_goes_on(stand: Stand, open_page: Open) -> None:
    server = stand.server()
    page = open_page(server)
    expect(page.get_by_text("Waiting for the first picture")).to_be_visible()
    server.show(picture(0))
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.get_by_text(re.compile(r"No picture for \d s"))).to_be_visible()
    expect(page.locator("#state")).to_have_text("Stalled")
    server.show(picture(1))
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#notice")).to_be_hidden()


def test_the_page_comes_back_after_a_restart_on_the_same_port(stand: Stand, open_page: Open) -> None:
    server = stand.server()
    assert server.url is not None
    server.show(picture(0))
    page = open_page(server)
    page.get_by_label("Over").check()
    expect(page.locator("#second")).to_be_visible()
    server.close()
    expect(page.locator("#state")).to_have_text("Connection lost")
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    again = stand.server(server.url.removeprefix("http://").rstrip("/"))
    expect(page.get_by_text("Waiting for the first picture")).to_be_visible()
    again.show(picture(1, over=flat(0.3)))
    expect(page.locator("#state")).to_have_text("Live")
    wait_until(page, "() => document.getElementById('second').getContext('2d').getImageData(9,9,1,1).data[0] < 100")


def test_it_fits_a_phone_and_the_wipe_follows_a_finger(stand: Stand, open_page: Open) -> None:
    server = stand.server(bracket=FakeBracket())
    server.show(picture(0))
    page = open_page(server, **PHONE)
    expect(page.locator("#state")).to_have_text("Live")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Off", "Under", "Over", "Single"):
        box = page.locator(".choice label", has_text=name).bounding_box()
        assert box["height"] >= 36
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    page.get_by_label("Under").check()
    frame = page.locator("#frame").bounding_box()
    page.touchscreen.tap(frame["x"] + 0.25 * frame["width"], frame["y"] + 0.5 * frame["height"])
    assert float(page.locator("#handle").get_attribute("aria-valuenow")) == pytest.approx(25, abs=1)
    page.get_by_label("Brightness").scroll_into_view_if_needed()
    expect(page.locator("#fused")).to_be_in_viewport()


@pytest.mark.parametrize("size", [(64, 36), (36, 64), (300, 20)], ids=str)
def test_every_shape_of_picture_fits_every_screen(stand: Stand, open_page: Open, size: tuple[int, int]) -> None:
    server = stand.server()
    server.show(only_fused(*size))
    page = open_page(server)
    expect(page.locator("#state")).to_have_text("Live")
    for width, height in ((1280, 800), (3840, 2160), (740, 360), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        stage, frame = (page.locator(name).bounding_box() for name in ("#stage", "#frame"))
        assert frame["width"] / frame["height"] == pytest.approx(size[0] / size[1], rel=0.02)
        assert frame["width"] <= stage["width"] + 1
        assert frame["height"] <= stage["height"] + 1
        assert frame["width"] >= stage["width"] - 1 or frame["height"] >= stage["height"] - 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def only_fused(width: int, height: int) -> PreviewPicture:
    return picture(0, fused=flat(0.5, width=width, height=height), under=None, over=None, single=None)


def test_full_screen_shows_the_picture_and_its_tools(stand: Stand, open_page: Open) -> None:
    server = stand.server()
    server.show(picture(0))
    page = open_page(server)
    expect(page.locator("#state")).to_have_text("Live")
    page.get_by_role("button", name="Full screen").click()
    wait_until(page, "() => document.fullscreenElement?.id === 'viewer'")
    page.get_by_role("button", name="Leave full screen").click()
    wait_until(page, "() => !document.fullscreenElement")


def test_a_page_out_of_sight_asks_for_nothing(stand: Stand, open_page: Open) -> None:
    server = stand.server()
    page = open_page(server)
    expect(page.get_by_text("Waiting for the first picture")).to_be_visible()
    asked: list[list[str]] = []
    page.expose_function("noteLook", lambda views: asked.append(views))
    page.evaluate(
        """() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                const message = JSON.parse(text);
                if (message.type === "look") window.noteLook(message.views);
                return send.call(this, text);
            };
            let hidden = true;
            Object.defineProperty(document, "hidden", { get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
            hidden = false;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    until(page, lambda: asked == [[], ["fused"]])
