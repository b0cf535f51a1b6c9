"""Fuses pairs on a GPU, several at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal

import torch

from stages.device.queue import DeviceQueue
from stages.errors import DeviceError
from stages.frame import BT709, ColorTags, Planes
from stages.fusion.cuda.gate import Difference, synthetic_pair
from stages.fusion.cuda.network import DeviceNetwork
from stages.fusion.cuda.program import Format, PairProgram
from stages.fusion.cuda.replay import ReplayedProgram
from stages.fusion.cuda.ring import Ring
from stages.fusion.lcndr import LCNDR
from stages.fusion.mode import Mode

_log = logging.getLogger(__name__)

Precision = Literal["auto", "half", "single"]
"""``auto``: half where its pictures are close enough to single precision's, tried when the fuser is made."""

_DTYPES: Final[dict[Precision, torch.dtype]] = {"half": torch.float16, "single": torch.float32}
_TRIAL_SIZE: Final = (256, 192)


class CudaFuser:
    """Fuses on a device.

    Args:
        network: with its weights; stays as it is.
        mode: how much of a picture CEM and SAM see.
        queue: the device.
        frames_in_flight: 1 finishes each pair before the next.
        precision: of weights and pictures on the device.
        graphs: False runs every pair operation by operation.
        join_kernels: whether operations are joined into fewer kernels; compiles when first used.

    Raises:
        DeviceError: the device gave out.
    """

    def __init__(
        self,
        network: LCNDR,
        mode: Mode,
        queue: DeviceQueue,
        *,
        frames_in_flight: int = 1,
        precision: Precision = "auto",
        graphs: bool = True,
        join_kernels: bool = False,
    ) -> None:
        self._mode: Mode = mode
        self._queue = queue
        self._frames_in_flight = frames_in_flight
        self._graphs = graphs
        self._join_kernels = join_kernels
        self._ring: Ring | None = None
        with self._leaving_nothing("to start on"):
            if precision == "auto":
                self.network = self._half_if_good(network)
            else:
                self.network = self._placed(network, precision, joined=join_kernels)

    @property
    def in_flight(self) -> int:
        """Pairs taken whose pictures were not given yet."""
        return self._ring.in_flight if self._ring is not None else 0

    def push(self, under: Planes, over: Planes, color: ColorTags) -> list[Planes]:
        """Take a pair; what is finished of this and earlier ones, oldest first.

        A pair of another size, depth or colour waits for those before it and gets buffers of its own.

        Raises:
            DeviceError: the device ran out of memory, or gave out; nothing is under way any more.
        """
        picture = Format.of(under, color)
        with self._leaving_nothing(f"for {under.width}x{under.height}"):
            finished = []
            if self._ring is None or self._ring.picture != picture:
                finished = self._finish(leave=0)
                self._ring = None  # frees its memory before the next one takes its own
                self._ring = self.new_ring(self.network, picture, self._frames_in_flight)
            self._ring.take().fill(under, over)
            self._ring.start()
            return finished + self._finish(leave=self._frames_in_flight - 1)

    def prepare(self, width: int, height: int, bit_depth: int) -> None:
        """Nothing: formats follow each other, and each is prepared by its first pictures."""

    def drain(self) -> list[Planes]:
        """Finish what is under way, oldest first.

        Raises:
            DeviceError: the device gave out; nothing is under way any more.
        """
        with self._leaving_nothing("for the last pictures"):
            return self._finish(leave=0)

    def close(self) -> None:
        """Give up what is under way and let go of the buffers."""
        self._abandon()

    def new_ring(self, network: DeviceNetwork, picture: Format, slots: int) -> Ring:
        """Buffers for pictures of one format, and a program that fuses them."""
        program = ReplayedProgram(PairProgram(network, picture), self._queue, graphs=self._graphs)
        return Ring(self._queue, program, picture, slots)

    def _placed(self, network: LCNDR, precision: Precision, *, joined: bool) -> DeviceNetwork:
        placed = self._queue.place(DeviceNetwork(network, self._mode, _DTYPES[precision]))
        if joined:
            placed.join(self._queue.join)
        return placed

    def _half_if_good(self, network: LCNDR) -> DeviceNetwork:
        # Single precision as it stands is what every other way is held against.
        half, single = (
            self._placed(network, "half", joined=self._join_kernels),
            self._placed(network, "single", joined=False),
        )
        difference = Difference.between(*(self._trial(candidate) for candidate in (half, single)))
        if difference.is_small:
            return half
        _log.warning(
            "fusion in single precision: half is off by %.1f/255 in the mean and %.1f/255 at most",
            difference.mean,
            difference.max,
        )
        return single

    def _trial(self, network: DeviceNetwork) -> Planes:
        """What a network makes of a small pair."""
        under, over = synthetic_pair(*_TRIAL_SIZE)
        self._ring = self.new_ring(network, Format.of(under, BT709), 1)
        self._ring.take().fill(under, over)
        self._ring.start()
        (fused,) = self._finish(leave=0)
        self._ring = None
        return fused

    def _finish(self, *, leave: int) -> list[Planes]:
        """Wait for the oldest pictures until so many are under way."""
        finished = []
        while self._ring is not None and self._ring.in_flight > leave:
            finished.append(self._ring.finish().fused())
        return finished

    def _abandon(self) -> None:
        if self._ring is not None:
            with suppress(Exception):  # a device that gave out says so again
                self._ring.abandon()
            self._ring = None

    @contextmanager
    def _leaving_nothing(self, purpose: str) -> Iterator[None]:
        """Whatever goes wrong, nothing stays under way, and a device's failure gets a name."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            self._abandon()
            advice = "--mode stream or --device cpu" if self._mode == "full" else "--device cpu"
            raise DeviceError(
                f"the GPU has too little memory {purpose}: use {advice}, or end other programs that use it"
            ) from error
        except torch.AcceleratorError as error:
            self._abandon()
            reason = str(error).partition("\n")[0]
            raise DeviceError(f"the GPU gave out ({reason}): use --device cpu, or restart its driver") from error
        except BaseException:
            self._abandon()
            raise
