"""The benchmark of subscribers at a tiny size: every account balances, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_eight_readers_come_and_go_and_every_account_balances(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = ["-m", "benchmarks.subscribers", "--seconds", "2", "--size", "64x48", "--transport", "ipc", "--json"]
    done = subprocess.run(
        [sys.executable, *command, str(figures)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(figures.read_text())
    assert len(seen["readers"]) == 8
    assert seen["readers"]["every"]["received"] > 0
    assert seen["exact"]
    assert list(tmp_path.iterdir()) == [figures]
