"""The readers in docs/examples understand the stream, with nothing of ours in them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def check(command: Sequence[str | Path], station: Any) -> None:
    """Run a reader for three pictures beside a publisher."""
    with station.sending():
        result = subprocess.run(
            [*command, station.address, "3"], capture_output=True, text=True, timeout=60, check=False, cwd=EXAMPLES
        )
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert len(lines) == 3
    for _, seq, _, pts, size, _, luma, _, cb, _, lost in lines:
        assert size == "6x4"
        assert (float(luma), float(cb)) == (int(pts) % 256, 128)
        assert int(seq) >= int(lost)


def test_pyzmq(station: Any) -> None:
    source = (EXAMPLES / "reader.py").read_text(encoding="utf-8")
    assert "import lumabraid" not in source
    check([sys.executable, "reader.py"], station)


def test_javascript(station: Any) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    needed = [node, "--input-type=module", "--eval", "import '@msgpack/msgpack'; import 'zeromq'"]
    if subprocess.run(needed, capture_output=True, timeout=60, check=False, cwd=EXAMPLES).returncode:
        pytest.skip("node cannot load zeromq: run `npm ci` in docs/examples")
    check([node, "reader.mjs"], station)
