"""Kernels are compiled once a machine, and the user is told."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """
import logging
import numpy as np
logging.basicConfig(level=logging.INFO)
from stages.fusion.compiled.rows import reduce_rows
source, target = np.ones((4, 4), np.float32), np.empty((2, 2), np.float32)
reduce_rows(source, target, 0, 2, np.float32(0), np.float32(1))
assert (target == 1).all()
"""


def test_a_first_start_says_that_it_compiles_and_a_second_need_not(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        said.append(run.stderr.count("compiling for this machine"))
    assert said == [1, 0]
