"""Peak memory of a whole job, each in a process of its own.

``measure`` runs this module: CLIP OUTPUT VARIANT, prints a line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from pipeline.bench.tasks import Variant, run_job
from pipeline.registry import default_kind, stage_class
from stages.device.choice import choose_device
from stages.errors import LumabraidError

_STATUS: Final = Path("/proc/self/status")
_ROLES: Final = ("capture", "pairing", "alignment", "fusion", "encoding")


@dataclass(frozen=True, slots=True)
class Peak:
    """In MB of 10^6 bytes."""

    total_mb: float
    """Peak resident memory of the process."""
    libraries_mb: float
    """Resident before the job: Python and every library loaded."""
    gpu_mb: float | None
    """Peak of what torch held on the GPU; None on the CPU."""

    def describe(self) -> str:
        """For a person."""
        gpu = "" if self.gpu_mb is None else f", GPU {self.gpu_mb:.0f} MB"
        over = self.total_mb - self.libraries_mb
        return f"peak {self.total_mb:.0f} MB: {over:.0f} MB over the libraries' {self.libraries_mb:.0f} MB{gpu}"


def measure(clip: Path, output: Path, variant: Variant) -> Peak:
    """Fuse a clip in another process.

    Raises:
        LumabraidError: the system is not Linux, or the job failed.
    """
    if not _STATUS.exists():
        raise LumabraidError("--memory reads /proc/self/status, which this system does not have: run it on Linux")
    command = [sys.executable, "-m", "pipeline.bench.memory", str(clip), str(output)]
    settings = json.dumps(dataclasses.asdict(variant))
    child = subprocess.run([*command, settings], capture_output=True, text=True, check=False)
    if child.returncode != 0:
        last = (child.stderr.strip() or f"exit code {child.returncode}").splitlines()[-1]
        raise LumabraidError(f"the job whose memory was measured failed: {last}")
    return Peak(**json.loads(child.stdout.splitlines()[-1]))


def _status_mb(key: str) -> float:
    """VmRSS or VmHWM. The peak that ``resource`` gives would begin with the parent's."""
    line = next(line for line in _STATUS.read_text(encoding="utf-8").splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024 / 1e6


def _run(clip: Path, output: Path, variant: Variant) -> Peak:
    """In this process, which must not have done anything else."""
    for role in _ROLES:
        stage_class(role, default_kind(role))
    libraries_mb = _status_mb("VmRSS")
    run_job(clip, output, variant)
    gpu_mb = torch.cuda.max_memory_allocated() / 1e6 if choose_device(variant.device).type == "cuda" else None
    return Peak(_status_mb("VmHWM"), libraries_mb, gpu_mb)


if __name__ == "__main__":
    print(
        json.dumps(dataclasses.asdict(_run(Path(sys.argv[1]), Path(sys.argv[2]), Variant(**json.loads(sys.argv[3])))))
    )
