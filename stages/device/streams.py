"""The device queue of a GPU: a CUDA stream a lane, events between them, graphs for repetition."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

import torch
from torch import Tensor

from stages.device.joining import Joiner
from stages.device.queue import LANES, Arguments, Lane, Mark, Network, Result, Work

_capturing: Final = Lock()
"""A process can capture one graph at a time."""


class CudaQueue:
    """A GPU's lanes, for the thread that uses them.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._joiner = Joiner()
        self.streams: Final[dict[Lane, torch.cuda.Stream]] = {lane: torch.cuda.Stream(device) for lane in LANES}

    def host_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """Pinned: the GPU's copy engines reach it without the processor."""
        return torch.empty(count, dtype=dtype, pin_memory=True)

    def device_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        """From the compute lane's memory."""
        # Memory that other streams gave back may still be in use by their last work.
        with torch.cuda.stream(self.streams["compute"]):
            return torch.empty(count, dtype=dtype, device=self._device)

    def place(self, network: Network) -> Network:
        """Copies from ordinary memory are done when this returns."""
        with torch.cuda.stream(self.streams["compute"]):
            placed: Network = network.to(self._device)
        return placed

    def join(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """By torch's compiler, when it is first called."""
        return self._joiner.join(function)

    def mark(self) -> Mark:
        """An event; waiting for it leaves the processor to others."""
        return _Event(self.streams)

    def run(self, lane: Lane, work: Work) -> None:
        """Launch the work on the lane's stream."""
        with torch.cuda.stream(self.streams[lane]), torch.inference_mode():
            work()

    def capture(self, work: Work) -> Work:
        """A CUDA graph of the work, captured in the caller's thread."""
        graph, stream = torch.cuda.CUDAGraph(), self.streams["compute"]
        with _capturing, torch.cuda.stream(stream), torch.inference_mode():
            # A graph has memory of its own; what the same work used before would stay reserved beside it.
            stream.synchronize()
            torch.cuda.empty_cache()
            # Other threads may allocate and copy meanwhile.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                work()
            except BaseException:
                with suppress(RuntimeError):  # it would say no more than that the capture broke off
                    graph.capture_end()
                raise
            graph.capture_end()
        return graph.replay

    def hold(self, lane: Lane, mark: Mark) -> None:
        """Let the stream wait for an event of whichever stream."""
        assert isinstance(mark, _Event)
        self.streams[lane].wait_event(mark.event)

    def finish(self) -> None:
        """Wait for the three streams, not for the whole device."""
        for stream in self.streams.values():
            stream.synchronize()


class _Event:
    """A CUDA event, made once and recorded for every frame."""

    def __init__(self, streams: dict[Lane, torch.cuda.Stream]) -> None:
        self._streams = streams
        self.event = torch.cuda.Event(blocking=True)

    def put(self, lane: Lane) -> None:
        """Record it."""
        self.event.record(self._streams[lane])

    def hold(self, lane: Lane) -> None:
        """Let the stream wait."""
        self._streams[lane].wait_event(self.event)

    def wait(self) -> None:
        """Let the thread wait, without the interpreter's lock."""
        self.event.synchronize()
