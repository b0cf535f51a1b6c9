"""The benchmark of a GPU runs to its end without one, reads traces and knows what is wanted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.profiler import profile

from benchmarks.cuda import __main__ as command
from benchmarks.cuda.parity import Row
from benchmarks.cuda.targets import verdicts
from benchmarks.cuda.trace import read
from stages.device.standin import StandInQueue
from stages.device.streams import CudaQueue
from stages.fusion.cuda.gate import Difference
from stages.fusion.models import list_models
from tests.fusion import fake_cuda

MODELS = len(list_models())


def test_without_a_gpu_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    monkeypatch.setattr(sys, "argv", ["cuda"])
    assert command.main() == 0
    assert capsys.readouterr().out == "no CUDA device: nothing to measure (--rehearse goes through it on the CPU)\n"


@pytest.fixture
def rehearsal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Sets up a rehearsal with pictures as small as they get; gives the file for its figures."""
    monkeypatch.setattr(command, "REHEARSED", [(24, 16), (18, 11)])
    monkeypatch.setattr(sys, "argv", ["cuda", "--rehearse", "--json", str(tmp_path / "figures.json")])
    return tmp_path / "figures.json"


def test_a_rehearsal_goes_through_everything(rehearsal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main() == 0
    found = json.loads(rehearsal.read_text(encoding="utf-8"))
    assert {name: len(rows) for name, rows in found.items() if name not in ("device", "verdicts")} == {
        "parity with the CPU": 16 * MODELS,
        "parity with the CPU in alignment": 4,
        "alignment": 4,
        "speed": 4 * MODELS,
        "parts of a frame": 2 * MODELS,
        "variants": 12 * MODELS,
    }
    assert found["verdicts"] == []
    assert all(row["graph"] for row in found["speed"])
    assert capsys.readouterr().out.endswith("the GPU gives the CPU's pictures\n")


def test_on_a_gpu_it_goes_through_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Fakes all the way down: this shows that the code runs to its end, and nothing of a GPU.
    fake_cuda.install(monkeypatch)
    standin = StandInQueue()
    for name in ("host_buffer", "device_buffer", "place", "join"):
        monkeypatch.setattr(CudaQueue, name, staticmethod(getattr(standin, name)))
    monkeypatch.setattr(CudaQueue, "capture", lambda self, work: work)
    monkeypatch.setattr("benchmarks.cuda.trace.profile", lambda activities: profile(activities=activities[:1]))
    monkeypatch.setattr("benchmarks.cuda.bench.Gpu.seconds", 0.0)
    monkeypatch.setattr("benchmarks.cuda.bench.Gpu.precision", "single")
    monkeypatch.setattr(command, "SIZES", [(24, 16)])
    monkeypatch.setattr(command, "CLOSER", [("stream", (24, 16))])
    monkeypatch.setattr(command, "PARITY_SIZES", [(18, 11)])
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["cuda", "--json", str(file)])
    assert command.main() == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["device"].startswith("No GPU, 8 GiB; torch ")
    counts = [len(found[name]) for name in ("parity with the CPU", "speed", "parts of a frame", "variants")]
    assert counts == [16 * MODELS, 2 * MODELS, MODELS, 6 * MODELS]
    assert {row["compute_ms"] for row in found["speed"]} == {100.0}
    assert not any(line.startswith("left out") for line in found["verdicts"])
    assert found["verdicts"][0].startswith("lcndr full 24x16: ")
    assert "kernels by time" not in capsys.readouterr().out


def test_other_pictures_than_the_cpus_end_with_exit_code_1(
    rehearsal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Difference, "is_small", False)
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--minutes", "0.001"])
    assert command.main() == 1
    shown = capsys.readouterr().out
    assert "THE GPU DOES NOT GIVE THE CPU'S PICTURES" in shown
    assert "left out: speed of lcndr full (24, 16): no time left" in shown


def test_a_trace_tells_busy_and_overlapping_time() -> None:
    def event(cat: str, name: str, begin: float, end: float) -> dict[str, object]:
        return {"ph": "X", "cat": cat, "name": name, "ts": begin, "dur": end - begin}

    trace = read(
        [
            event("gpu_memcpy", "Memcpy HtoD (Pinned -> Device)", 0, 20),
            event("kernel", "convolve", 10, 40),
            event("kernel", "blend", 30, 50),
            event("gpu_memcpy", "Memcpy DtoD (Device -> Device)", 50, 60),
            event("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", 80, 100),
            event("cpu_op", "aten::conv2d", 0, 1000),
            {"ph": "M", "name": "process_name"},
        ]
    )
    assert trace is not None
    assert trace.busy_share == pytest.approx(0.5)
    assert trace.overlap_share == pytest.approx(10 / 40)
    assert trace.kernels["convolve"] == pytest.approx(0.5)
    assert read([event("cpu_op", "aten::conv2d", 0, 1)]) is None


def test_targets_are_held_against_the_figures() -> None:
    row: Row = {"model": "lcndr", "rate_share": 0.93, "peak_mib": 2000.0}
    lines = list(
        verdicts(
            [
                row | {"mode": "full", "size": "1280x720", "compute_ms": 6.0, "ns_per_pixel": 9.0},
                row | {"mode": "stream", "size": "960x540", "compute_ms": 1.0, "ns_per_pixel": 1.0},
                row
                | {"mode": "stream", "size": "3840x2160", "compute_ms": 3.0, "ns_per_pixel": 0.5, "rate_share": 0.8},
            ]
        )
    )
    assert lines == [
        "lcndr full 1280x720: computing takes 6 ms, wanted at most 5 ms: MISSED",
        "lcndr full 1280x720: 93% of the rate of computing alone, wanted 90%: reached",
        "lcndr stream 960x540: 93% of the rate of computing alone, wanted 90%: reached",
        "lcndr stream 3840x2160: computing takes 3 ms, wanted at most 4 ms: reached",
        "lcndr stream 3840x2160: memory is 2000 MiB, wanted at most 2861 MiB: reached",
        "lcndr stream 3840x2160: 80% of the rate of computing alone, wanted 90%: MISSED",
        "lcndr stream: the dearest over the cheapest pixel is 2, wanted at most 1.25: MISSED",
    ]
