"""Ctrl-C once finishes early, twice stops at once, in a process of its own as a user has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.interrupt import Signals, ended_by, interruptible

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what runs in the background deaf to it, and children inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SCRIPT = """
import json, os, sys, threading, time
from fractions import Fraction
import numpy as np
from pipeline.interrupt import interruptible
from pipeline.runner import Runner
from stages.frame import Frame, Planes, StreamInfo
from stages.stage import Done, Source, Stage

PLANES = Planes(np.zeros((2, 2), np.uint8), np.zeros((2, 1, 1), np.uint8))

class Camera(Source):
    index = -1
    def open(self):
        return StreamInfo(2, 2, 8, Fraction(1, 25))
    def read(self):
        time.sleep(0.005)
        self.index += 1
        return Frame(self.index, PLANES, self.index, Fraction(1, 25))
    def close(self):
        pass

class File(Stage):
    def open(self, info):
        return info
    def process(self, item):
        if item.index == 3:
            print("fusing", flush=True)
        yield Done(item.index)
    def flush(self):
        print("flushing", flush=True)
        if "hang" in sys.argv:
            threading.Event().wait()
        return ()
    def close(self):
        print("closing", flush=True)

runner = Runner(Camera(), [("encoding", File())], grace_s=0.3)
with interruptible(runner):
    report = runner.run()
print(json.dumps(report.to_dict()), flush=True)
os._exit(0)
"""


class Child:
    """The script in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        root = str(Path(pipeline.__file__).resolve().parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self._last_straw = threading.Timer(PATIENCE_S, self.process.kill)
        self._last_straw.start()

    def expect(self, line: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == line

    def report(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        *_, last_line = self.process.stdout
        report: dict[str, Any] = json.loads(last_line)
        assert self.process.wait() == 0
        return report

    def end(self) -> None:
        self._last_straw.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    children: list[Child] = []
    yield children
    for child in children:
        child.end()


def start(children: list[Child], *arguments: str) -> Child:
    children.append(Child(*arguments))
    children[-1].expect("fusing")
    return children[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_flushes(children: list[Child], number: signal.Signals) -> None:
    child = start(children)
    child.process.send_signal(number)
    child.expect("flushing")
    child.expect("closing")
    report = child.report()
    assert report["state"] == "stopped"
    assert report["captured"] == report["fused"] > 3
    assert report["failed"] == 0


def test_the_second_interrupt_gives_up_at_once(children: list[Child]) -> None:
    child = start(children, "hang")
    child.process.send_signal(signal.SIGINT)
    child.expect("flushing")
    child.process.send_signal(signal.SIGINT)
    report = child.report()
    assert report["state"] == "aborted"
    assert report["stuck"] == ["encoding"]
    assert report["captured"] == report["fused"] + report["failed"]


class Calls:
    """Writes down what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def stop(self) -> None:
        self.calls.append("stop")

    def abort(self) -> None:
        self.calls.append("abort")


@pytest.mark.parametrize(
    ("signals", "calls"),
    [
        ([signal.SIGINT], ["stop"]),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], ["stop", "abort", "abort"]),
        ([signal.SIGTERM, signal.SIGTERM], ["stop", "stop"]),
        ([signal.SIGTERM, signal.SIGINT], ["stop", "abort"]),
    ],
    ids=str,
)
def test_only_an_interrupt_escalates(signals: list[signal.Signals], calls: list[str]) -> None:
    target = Calls()
    with interruptible(target):
        for number in signals:
            signal.raise_signal(number)
    assert target.calls == calls


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), interruptible(Calls()):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_there_is_anything_to_stop_a_signal_ends_everything(number: signal.Signals) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    signals = Signals()
    with pytest.raises(KeyboardInterrupt), ended_by(signals):
        signal.raise_signal(number)
    assert signals.came
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = Signals()
    try:
        with ended_by(signals):
            signal.raise_signal(signal.SIGINT)
        assert not signals.came
    finally:
        signal.signal(signal.SIGINT, before)


IMPORTING = """
import signal, sys
from pipeline.entry import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            signal.raise_signal(getattr(signal, number))

sys.meta_path.insert(0, Finder())
module, number = sys.argv[1:3]
sys.argv[1:3] = []
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["click", "pydantic", "numpy", "torch"])
def test_while_modules_are_imported_it_ends_with_one_line(number: signal.Signals, module: str, tmp_path: Path) -> None:
    root = Path(pipeline.__file__).resolve().parents[1]
    clip, output = root / "configs" / "demo" / "demo.mp4", tmp_path / "fused.mp4"
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTING, module, number.name, "video", str(clip), "-o", str(output)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "lumabraid: interrupted\n")
    assert list(tmp_path.iterdir()) == []
