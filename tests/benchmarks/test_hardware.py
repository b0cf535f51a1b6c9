"""The benchmark of a GPU's encoders and decoder runs anywhere, and says what it could not try."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import hardware
from benchmarks.hardware import CASES, measure
from pipeline.bench.sizes import Size

TINY = Size("tiny", 64, 48)


def test_without_a_gpu_software_is_measured_and_the_rest_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: "no encoder")
    monkeypatch.setattr(hardware, "try_decoding", lambda *_: "no decoder")
    rows, missing, wrong = measure(tmp_path, TINY, 4)
    assert [(row.task, row.way) for row in rows] == [
        (f"{task} {codec} {depth} bit", "software") for codec, depth in CASES for task in ("encode", "decode")
    ]
    assert all(row.psnr_db > 30 for row in rows)
    assert missing[:2] == ["NVENC, h264 8 bit: no encoder", "NVDEC, h264 8 bit: no decoder"]
    assert len(missing) == 2 * len(CASES)
    assert wrong == []


def test_what_differs_from_software_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "CASES", (("h264", 8),))
    monkeypatch.setattr(hardware, "try_encoder", lambda *_: None)
    monkeypatch.setattr(hardware, "try_decoding", lambda *_: None)
    monkeypatch.setattr(hardware, "same", lambda *_: False)
    monkeypatch.setattr(hardware, "WORSE_DB", -100.0)
    rows, missing, wrong = measure(tmp_path, TINY, 2)
    assert [row.way for row in rows] == ["software", "NVENC", "software", "NVDEC"]
    assert missing == []
    assert [line.partition(":")[0] for line in wrong] == ["NVENC, h264 8 bit", "NVDEC, h264 8 bit"]
