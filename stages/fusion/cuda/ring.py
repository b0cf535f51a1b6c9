"""How a frame crosses the bus.

    planes -> host_pair ==upload==> device_pair --compute--> device_fused ==download==> host_fused -> planes
                                         ^
                      planes that lie there already

Each frame on its way has a slot, whose buffers and marks are made once. A lane waits for the one before it through the
slot's marks, and the caller for the last of them; a slot is used again only after that. So while one frame computes,
the next goes up and the last one comes down, and nothing is allocated.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from torch import Tensor

from stages.device.planes import DevicePlanes
from stages.device.queue import DeviceQueue
from stages.frame import Planes
from stages.fusion.cuda.program import Format
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
        self.on_device: list[DevicePlanes] = []
        """Both pictures while they are read, where they lie on the device; else none."""

    def fill(self, under: Planes, over: Planes) -> None:
        """Take both pictures in."""
        self.on_device = [planes for planes in (under, over) if isinstance(planes, DevicePlanes)]
        if len(self.on_device) < 2:
            self.on_device.clear()
            for codes, planes in zip(self.host_pair.view(2, self._picture.codes), (under, over), strict=True):
                self._picture.fill(codes, planes)

    def fused(self) -> Planes:
        """The fused picture, in memory of its own."""
        return self._picture.planes(self.host_fused)


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
        if slot.on_device:
            for planes, target in zip(slot.on_device, slot.device_pair.view(2, self.picture.codes), strict=True):
                self._queue.hold("compute", planes.ready)
                run("compute", partial(_copy, planes.codes, target))
        else:
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
        slot.on_device.clear()
        self._free.append(self._under_way.popleft())
        return slot

    def abandon(self) -> None:
        """Let nothing be under way any more, whatever became of it."""
        self._queue.finish()
        for slot in self._under_way:
            slot.on_device.clear()
        self._free.extend(self._under_way)
        self._under_way.clear()


def _copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source, non_blocking=True)
