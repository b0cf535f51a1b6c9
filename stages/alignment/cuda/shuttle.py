"""The way up: from arrays on the host through pinned memory to the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.device.planes import Layout
from stages.device.queue import DeviceQueue, Mark
from stages.frame import Planes

_BERTHS = 2
"""Of each purpose: one is filled while the other may still be read."""


@dataclass(slots=True)
class _Berth:
    """Pinned memory, and when it was last read."""

    host: Tensor
    read: Mark


class Shuttle:
    """Copies on the compute lane, in the order of its work, so that memory on the device is never written too early.

    Args:
        queue: the device.
    """

    def __init__(self, queue: DeviceQueue) -> None:
        self._queue = queue
        self._berths: dict[tuple[str, int, torch.dtype], list[_Berth]] = {}
        self.bytes_sent = 0
        """In all."""

    def array(self, purpose: str, values: npt.NDArray[Any]) -> Tensor:
        """An array, which may be changed after this.

        Args:
            purpose: of one size in a stream; what is sent for it again and again has its memory there.
            values: of a type that torch knows.
        """
        source = torch.from_numpy(np.ascontiguousarray(values))
        berth = self._free_berth(purpose, source.numel(), source.dtype)
        berth.host.copy_(source.flatten())
        return self._sent(berth).view(source.shape)

    def picture(self, planes: Planes) -> Tensor:
        """A picture's code values as they lie in memory."""
        layout = Layout.like(planes)
        berth = self._free_berth("picture", layout.codes, layout.dtype)
        layout.fill(berth.host, planes)
        return self._sent(berth)

    def _free_berth(self, purpose: str, count: int, dtype: torch.dtype) -> _Berth:
        key = purpose, count, dtype
        if key not in self._berths:
            # What another size had is not needed any more.
            for known in [known for known in self._berths if known[0] == purpose]:
                for berth in self._berths.pop(known):
                    berth.read.wait()
            self._berths[key] = [
                _Berth(self._queue.host_buffer(count, dtype), self._queue.mark()) for _ in range(_BERTHS)
            ]
        berths = self._berths[key]
        berths.append(berths.pop(0))
        berths[-1].read.wait()
        return berths[-1]

    def _sent(self, berth: _Berth) -> Tensor:
        host = berth.host
        target = self._queue.device_buffer(host.numel(), host.dtype)
        self._queue.run("compute", lambda: _copy(host, target))
        berth.read.put("compute")
        self.bytes_sent += host.numel() * host.element_size()
        return target


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source, non_blocking=True)
