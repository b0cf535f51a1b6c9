"""What a job holds in memory: no more pictures than are needed, and what is free goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.assembly import assemble
from pipeline.config import validate
from stages.encoding.none import NoOutput
from stages.frame import FusedFrame
from stages.stage import Done, Dropped
from tests.pipeline.clips import write_clip

_FREES_EVERY_SECOND_BLOCK = """
import numpy as np
from pipeline.allocation import return_large_blocks

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

return_large_blocks()
for size in (5_000_000, 20_000_000):
    np.ones(size, np.uint8)  # glibc by itself would now keep blocks of this size
blocks = [np.ones(6_000_000, np.uint8) for _ in range(20)]
before = resident_mb()
del blocks[::2]
print(before - resident_mb())
"""


def settings(clip: Path, **sections: Any) -> dict[str, Any]:
    return {
        "capture": {"kind": "file", "input": str(clip)},
        "alignment": {"kind": "none"},
        "fusion": {"kind": "passthrough"},
        "encoding": {"kind": "none"},
        **sections,
    }


def test_no_stage_after_the_last_that_looks_at_the_exposures_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived: list[FusedFrame] = []

    def process(self: NoOutput, item: FusedFrame) -> Iterable[Done | Dropped]:
        arrived.append(item)
        yield Done(item.index)

    monkeypatch.setattr(NoOutput, "process", process)
    clip = write_clip(tmp_path / "clip.mp4", rate=25, count=8)
    for sections in ({}, {"publishing": {"kind": "zeromq", "address": "tcp://127.0.0.1:*"}}):
        arrived.clear()
        assemble(validate(settings(clip, **sections))).runner.run()
        assert len(arrived) == 8
        assert all(frame.aligned is None for frame in arrived)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to do")
def test_a_large_block_that_is_free_goes_back_to_the_system() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _FREES_EVERY_SECOND_BLOCK], check=True, capture_output=True, text=True
    ).stdout
    assert float(told) == pytest.approx(60, abs=15)
