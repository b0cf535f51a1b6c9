"""The desktop window: its picture, what closes it, and what is said where there is no display."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.color import bgr_from_planes
from stages.errors import ConfigError
from stages.frame import BT709, ColorRange, ColorTags, Planes, StreamInfo
from stages.window.desktop import DesktopConfig, DesktopWindow
from stages.window.picture import bgr8_from_planes
from stages.window.viewer import check_display

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

SHOW = """
import ctypes, sys, time
from fractions import Fraction
import cv2
import numpy as np
from stages.frame import BT709, FusedFrame, Planes, StreamInfo
from stages.window.desktop import DesktopConfig, DesktopWindow

def picture(index):
    return FusedFrame(
        index=index, planes=Planes(np.full((48, 64), 16 + index, np.uint8), np.full((2, 24, 32), 128, np.uint8)),
        pts=index, time_base=Fraction(1, 25), duration=1, color=BT709, sources=(index, index), ratio_stops=None,
        captured_ns=0, fused_ns=0)

def press(letter):
    x11, xtest = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
    x11.XWarpPointer(display, 0, root, 0, 0, 0, 0, 20, 20)  # keys go to the window under it
    code = x11.XKeysymToKeycode(display, ctypes.c_ulong(ord(letter)))
    for down in (1, 0):
        xtest.XTestFakeKeyEvent(display, code, down, 0)
    x11.XCloseDisplay(display)

seen = []
show = cv2.imshow
cv2.imshow = lambda name, pixels: (seen.append((name, int(pixels.mean()))), show(name, pixels))
window = DesktopWindow(DesktopConfig())
window.open(StreamInfo(64, 48, 8, Fraction(1, 25), name="clip.mp4"))
deadline = time.monotonic() + 40
index = 0
while time.monotonic() < deadline and not window.closed_by_hand:
    assert [passed.index for passed in window.process(picture(index))] == [index]
    index = min(index + 1, 200)
    if len(seen) > 5 and "press" in sys.argv:
        press("q")
    if len(seen) > 5 and "press" not in sys.argv:
        break
    time.sleep(0.02)
print(window.closed_by_hand, seen[-1][0], seen[-1][1] > seen[0][1])
window.close()
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual one."""
    if sys.platform != "linux" or shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as number:
        name = f":{number.readline().strip()}"
    yield name
    server.terminate()
    server.wait(PATIENCE_S)


def show(display: str, *arguments: str) -> list[str]:
    """Show pictures in a process of its own: the toolkit keeps to the first thread that uses it."""
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", SHOW, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_the_newest_picture_is_shown_under_the_source_s_name(display: str) -> None:
    assert show(display) == ["False", "lumabraid:", "clip.mp4", "True"]


def test_q_closes_it_and_the_program_can_see_that(display: str) -> None:
    try:
        import ctypes

        ctypes.CDLL("libXtst.so.6")
    except OSError:
        pytest.skip("needs libXtst, to press a key")
    assert show(display, "press")[0] == "True"


def open_window() -> None:
    window = DesktopWindow(DesktopConfig())
    try:
        window.open(StreamInfo(64, 48, 8, Fraction(1, 25)))
    finally:
        window.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a window needs no display server")
def test_without_a_display_one_line_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ConfigError, match=r"^no window without a display: .* use --preview instead"):
        open_window()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a window needs no display server")
def test_a_display_that_does_not_answer_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":65000")
    with pytest.raises(ConfigError, match=r"^the display cannot be used: .*could not connect to display :65000"):
        check_display()


@pytest.mark.parametrize(
    ("tags", "bit_depth"),
    [
        (BT709, 8),
        (ColorTags(matrix=6, range=ColorRange.FULL), 8),
        (ColorTags(matrix=9, range=ColorRange.LIMITED), 10),
    ],
)
@pytest.mark.parametrize("size", [(36, 64), (35, 63)])
def test_colours_are_those_of_the_tags(tags: ColorTags, bit_depth: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    height, width = size
    dtype: Any = np.uint8 if bit_depth == 8 else np.uint16
    luma = rng.integers(0, 1 << bit_depth, size).astype(dtype)
    chroma = rng.integers(0, 1 << bit_depth, (2, -(-height // 2), -(-width // 2))).astype(dtype)
    planes = Planes(luma, chroma, bit_depth)
    shown = bgr8_from_planes(planes, tags)
    exact = bgr_from_planes(planes, tags) * 255
    assert shown.shape == (height, width, 3)
    assert np.abs(shown - exact).max() <= 4
