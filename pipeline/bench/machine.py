"""What a benchmark ran on, in a line."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import torch

_PACKAGES = ("av", "lumabraid", "numpy", "opencv-python", "torch")


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on."""

    cpu: str
    cores: int
    torch_threads: int
    opencv_threads: int
    gpu: str | None
    load: float | None
    """Programs that wanted to compute, averaged over the last minute; None where the system does not tell."""
    versions: dict[str, str]

    @property
    def is_busy(self) -> bool:
        """Whether other programs keep more than half of the cores."""
        return self.load is not None and self.load > self.cores / 2

    def describe(self) -> str:
        """For a person."""
        parts = [
            f"{self.cpu}, {self.cores} cores",
            f"threads: torch {self.torch_threads}, OpenCV {self.opencv_threads}",
            f"GPU: {self.gpu or 'none'}",
        ]
        if self.load is not None:
            parts.append(f"load average {self.load:.1f}")
        return "; ".join(parts)


def this_machine() -> Machine:
    """As it is now: to be asked before the work begins, which is a load, too."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        torch_threads=torch.get_num_threads(),
        opencv_threads=cv2.getNumThreads(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions={package: version(package) for package in _PACKAGES},
    )


def _cpu() -> str:
    """As Linux names it; elsewhere the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
