"""How a frame crosses the bus.

    planes -> host_pair ==upload==> device_pair --compute--> device_fused ==download==> host_fused -> planes

Each frame on its way has a slot, whose buffers and marks are made once. A lane waits for the one before it through the
slot's marks, and the caller for the last of them; a slot is used again only after that. So while one frame computes,
the next goes up and the last one comes down, and nothing is allocated.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.frame import PixelArray, Planes
from stages.fusion.cuda.program import Format
from stages.fusion.cuda.queue import DeviceQueue
from stages.fusion.cuda.replay import ReplayedProgram


class Slot:
    """One frame's place in the ring."""

    def __init__(self, queue: DeviceQueue, picture: Format) -> None:
        self._picture = picture
        self.host_pair = queue.host_buffer(2 * picture.codes, picture.dtype)
        self.device_pair = queue.device_buffer(2 * picture.codes, picture.dtype)
        self.device_fused = queue.device_buffer(picture.codes, picture.dtype)
        self.host_fused = queue.host_buffer(picture.codes, picture.dtype)
        self.uploaded, self.computed, self.downloaded = queue.mark(), queue.mark(), queue.mark()

    def fill(self, under: Planes, over: Planes) -> None:
        """Take both pictures in."""
        for pictures, planes in zip(self.host_pair.view(2, self._picture.codes), (under, over), strict=True):
            luma, chroma = self._picture.split(pictures)
            luma.copy_(_tensor(planes.luma))
            chroma.copy_(_tensor(planes.chroma))

    def fused(self) -> Planes:
        """The fused picture, in memory of its own."""
        luma, chroma = self._picture.split(self.host_fused)
        return Planes(_codes(luma), _codes(chroma), self._picture.bit_depth)


class Ring:
    """Slots for pictures of one format, and the way through them.

    Args:
        queue: the device.
        program: what is done there.
        picture: the format.
        slots: frames that may be on their way at once.
    """

    def __init__(self, queue: DeviceQueue, program: ReplayedProgram, picture: Format, slots: int) -> None:
        self.picture = picture
        self._queue = queue
        self.program = program
        self._free = deque(Slot(queue, picture) for _ in range(slots))
        self._under_way: deque[Slot] = deque()
        # The buffers' memory may have been used before, by work that is not done yet.
        queue.finish()

    @property
    def in_flight(self) -> int:
        """Frames started and not finished."""
        return len(self._under_way)

    def take(self) -> Slot:
        """The next slot to fill and start; there must be a free one."""
        return self._free[0]

    def start(self) -> None:
        """Send the slot last taken on its way."""
        slot = self._free.popleft()
        self._under_way.append(slot)
        run = self._queue.run
        run("upload", lambda: _copy(slot.host_pair, slot.device_pair))
        slot.uploaded.put("upload")
        slot.uploaded.hold("compute")
        self.program.run(slot.device_pair, slot.device_fused)
        slot.computed.put("compute")
        slot.computed.hold("download")
        run("download", lambda: _copy(slot.device_fused, slot.host_fused))
        slot.downloaded.put("download")

    def finish(self) -> Slot:
        """Wait for the oldest frame; its slot holds it until the slot is taken again."""
        slot = self._under_way[0]
        slot.downloaded.wait()
        self._free.append(self._under_way.popleft())
        return slot

    def abandon(self) -> None:
        """Let nothing be under way any more, whatever became of it."""
        self._queue.finish()
        self._free.extend(self._under_way)
        self._under_way.clear()


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source, non_blocking=True)


def _tensor(plane: PixelArray) -> Tensor:
    """A plane's own memory."""
    values = np.ascontiguousarray(plane)
    return torch.from_numpy(values.view(np.int16) if values.dtype == np.uint16 else values)


def _codes(plane: Tensor) -> PixelArray:
    """A copy."""
    if plane.dtype == torch.uint8:
        return np.array(plane.numpy())
    codes: npt.NDArray[np.uint16] = np.array(plane.numpy().view(np.uint16))
    return codes
