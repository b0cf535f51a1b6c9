"""What crossing the bus needs of a device: lanes of work, points in them to wait for, buffers, and repetition.

``streams.CudaQueue`` is the device; ``standin.StandInQueue`` does the same work on a CPU and writes down its order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor

Lane = Literal["upload", "compute", "download"]
"""Work of one lane runs in the order given; lanes run side by side."""

LANES: Final[tuple[Lane, ...]] = ("upload", "compute", "download")

Network = TypeVar("Network", bound=torch.nn.Module)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

Work = Callable[[], None]
"""Operations of torch on the device's buffers; it waits for nothing."""


class Mark(Protocol):
    """A point in a lane's work, set again for every frame."""

    def put(self, lane: Lane) -> None:
        """Set it behind everything the lane was given so far."""

    def hold(self, lane: Lane) -> None:
        """Let what the lane is given from now on begin only when the point is passed."""

    def wait(self) -> None:
        """Let the caller sleep until the point is passed."""


class DeviceQueue(Protocol):
    """One device, seen from one thread."""

    def host_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """(count,) on the host, from and to which the device copies by itself."""

    def device_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """(count,) on the device."""

    def place(self, network: Network) -> Network:
        """A network from the CPU, moved to the device."""

    def join(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """A function of tensors of the device that does the same in fewer kernels, where the device can."""

    def mark(self) -> Mark:
        """A new mark, which counts as passed until it is put."""

    def run(self, lane: Lane, work: Work) -> None:
        """Give a lane work; returns before it is done."""

    def capture(self, work: Work) -> Work:
        """Work of the compute lane as one that launches at once, to be run there; it is not done by this.

        Every tensor it touches from outside must stay where it is.

        Raises:
            RuntimeError: the device cannot; the work itself may still run.
        """

    def hold(self, lane: Lane, mark: Mark) -> None:
        """As ``Mark.hold`` does in the mark's own queue, for a mark of any queue on the same device."""

    def finish(self) -> None:
        """Wait for all lanes."""
