"""Runs a program on the compute lane: operation by operation at first, as one CUDA graph from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable

from torch import Tensor

from stages.device.queue import DeviceQueue
from stages.fusion.cuda.program import PairProgram

_log = logging.getLogger(__name__)

WARM_UP_FRAMES = 3
"""Frames of a format that run operation by operation: libraries load and choose their kernels, which no graph can."""


class ReplayedProgram:
    """A program for one format that learns to run itself as a graph.

    Args:
        program: for one format.
        queue: whose compute lane it runs on.
        graphs: False never captures.
    """

    def __init__(self, program: PairProgram, queue: DeviceQueue, *, graphs: bool) -> None:
        self._program = program
        self._queue = queue
        self._graphs = graphs
        self._warm_up_left = WARM_UP_FRAMES
        self._replay: Callable[[Tensor, Tensor], None] | None = None

    @property
    def is_captured(self) -> bool:
        """Whether it runs as a graph."""
        return self._replay is not None

    def run(self, pair: Tensor, fused: Tensor) -> None:
        """Give the compute lane one pair: (2 * codes,) to read, (codes,) to write, both on the device."""
        if self._graphs and self._replay is None:
            if self._warm_up_left == 0:
                self._try_capture()
            else:
                self._warm_up_left -= 1
        step = self._replay or self._program
        self._queue.run("compute", lambda: step(pair, fused))

    def _try_capture(self) -> None:
        try:
            self._replay = self._captured()
        except RuntimeError as error:
            self._graphs = False
            picture, reason = self._program.picture, str(error).partition("\n")[0]
            _log.warning("fusion of %dx%d runs without a CUDA graph: %s", picture.width, picture.height, reason)

    def _captured(self) -> Callable[[Tensor, Tensor], None]:
        picture, program = self._program.picture, self._program
        own_pair = self._queue.device_buffer(2 * picture.codes, picture.dtype)
        own_fused = self._queue.device_buffer(picture.codes, picture.dtype)
        replay = self._queue.capture(lambda: program(own_pair, own_fused))

        def run(pair: Tensor, fused: Tensor) -> None:
            # A graph reads and writes where it was captured; these two copies stay on the device.
            own_pair.copy_(pair)
            replay()
            fused.copy_(own_fused)

        return run
