"""Who puts pictures together: the processor, or a GPU where there is one."""

from __future__ import annotations

from typing import Protocol

from stages.alignment.assembly import CpuAssembler
from stages.alignment.crew import Crew
from stages.alignment.plan import Plan, Recall, Side
from stages.device.choice import DeviceName, choose_device
from stages.frame import ExposurePair, Planes


class Assembler(Protocol):
    """Does what a plan says."""

    def begin(self, pair: ExposurePair, first: Side, recalled: Recall | None) -> None:
        """Do what needs only these of the next plan; while it goes on, nothing else is asked for."""

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        """The reference, and the other exposure on its pixel grid."""


def choose_assembler(device: DeviceName, crew: Crew) -> Assembler:
    """The assembler for a device; ``auto`` takes CUDA where there is one.

    Raises:
        DeviceError: CUDA was asked for and there is none.
    """
    chosen = choose_device(device) if device != "cpu" else None
    if chosen is None or chosen.type == "cpu":
        return CpuAssembler(crew)
    # Only here is torch needed.
    from stages.alignment.cuda.assembler import DeviceAssembler
    from stages.device.streams import CudaQueue

    return DeviceAssembler(CudaQueue(chosen))


def reason_to_give_up(error: RuntimeError) -> str | None:
    """What a device failed of; None for an error that is no device's."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return "the GPU has too little memory"
    if isinstance(error, torch.AcceleratorError):
        return f"the GPU gave out ({str(error).partition(chr(10))[0]})"
    return None
