"""Which device computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stages.errors import DeviceError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]


def choose_device(name: DeviceName) -> torch.device:
    """``auto`` takes CUDA where there is one.

    Raises:
        DeviceError: CUDA was asked for and there is none.
    """
    import torch  # settings name a device in programs that need no torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device was found: use --device cpu, or install a CUDA build of torch and a driver")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
