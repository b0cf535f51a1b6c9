"""Fuses pairs of pictures: planes in, planes out, on a CPU here and on a GPU through ``stages.fusion.cuda``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.device.streams import CudaQueue
from stages.errors import DeviceError
from stages.frame import ColorTags, PixelArray, Planes
from stages.fusion.chroma import fuse_chroma
from stages.fusion.codes import CodeValues
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.empty import stand_in_for_empty
from stages.fusion.fast import SMALLEST_SIDE, compiled_engine
from stages.fusion.lcndr import LCNDR
from stages.fusion.mode import Mode, working_side
from stages.fusion.strips import Strips
from stages.fusion.tiles import fuse_tiled, strip_rows

if TYPE_CHECKING:
    from stages.fusion.compiled.engine import CompiledFusion


class Engine(Protocol):
    """What fuses pairs on one kind of device, some of them at once."""

    def push(self, under: Planes, over: Planes, color: ColorTags) -> list[Planes]:
        """Take a pair; what is finished of this and earlier ones, oldest first."""

    def prepare(self, width: int, height: int, bit_depth: int) -> None:
        """Do now what the first picture of this size would wait for."""

    def drain(self) -> list[Planes]:
        """Finish what is under way, oldest first."""

    def close(self) -> None:
        """Give up what is under way and let go of the device; never raises."""


class Fuser:
    """A network on a device in one of its modes.

    Args:
        network: with its weights.
        mode: how much of a picture CEM and SAM see.
        device: from ``choose_device``.
        frames_in_flight: pairs that a GPU may have at once; a CPU finishes each before the next.
        join_kernels: whether a GPU's operations are joined, which takes time at the start.
        threads: of a CPU, in `stream` mode; None takes every core.
    """

    def __init__(
        self,
        network: LCNDR,
        mode: Mode,
        device: torch.device,
        *,
        frames_in_flight: int = 1,
        join_kernels: bool = False,
        threads: int | None = None,
    ) -> None:
        self._engine: Engine
        if device.type == "cuda":
            self._engine = CudaFuser(
                network, mode, CudaQueue(device), frames_in_flight=frames_in_flight, join_kernels=join_kernels
            )
        else:
            self._engine = CpuFuser(network, mode, threads)

    def fuse(self, under: Planes, over: Planes, color: ColorTags) -> Planes:
        """The fused picture: same size, bit depth and colour tags as the two given; nothing else may be under way.

        Args:
            under: the shorter exposure.
            over: the longer exposure, same size and bit depth.
            color: tags of both, which name range and matrix.

        Raises:
            DeviceError: the device ran out of memory, or gave out.
        """
        (fused,) = [*self.push(under, over, color), *self.drain()]
        return fused

    def push(self, under: Planes, over: Planes, color: ColorTags) -> list[Planes]:
        """Take a pair; the fused pictures that are ready by then, in the order their pairs came.

        Every pair gives one picture, here, from a later ``push`` or from ``drain``. Arguments are those of ``fuse``.

        Raises:
            DeviceError: the device ran out of memory, or gave out; nothing is under way any more.
        """
        return self._engine.push(under, over, color)

    def prepare(self, width: int, height: int, bit_depth: int) -> None:
        """Do now what the first picture of this size would wait for, the compiling above all."""
        self._engine.prepare(width, height, bit_depth)

    def drain(self) -> list[Planes]:
        """Wait for the pictures still under way, in the order their pairs came.

        Raises:
            DeviceError: the device gave out; nothing is under way any more.
        """
        return self._engine.drain()

    def close(self) -> None:
        """Give up what is under way and let go of the device; never raises."""
        self._engine.close()


class CpuFuser:
    """Fuses on the CPU, each pair before the next.

    Args:
        network: with its weights.
        mode: how much of a picture CEM and SAM see.
        threads: as for ``Fuser``.
    """

    def __init__(self, network: LCNDR, mode: Mode, threads: int | None = None) -> None:
        self._network = network.cpu().eval()
        # Measured: convolutions of few channels take about half the time with channels last.
        for weight in self._network.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.to(memory_format=torch.channels_last)
        self._mode: Mode = mode
        self._strips = Strips(threads or torch.get_num_threads()) if mode == "stream" else None
        self._fast: CompiledFusion | None = None

    def push(self, under: Planes, over: Planes, color: ColorTags) -> list[Planes]:
        """The pair's fused picture."""
        under, over = stand_in_for_empty(under, over, CodeValues.of(color, under.bit_depth))
        try:
            with torch.inference_mode():
                return [self._fuse(under, over, color)]
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"cpu ran out of memory fusing {under.width}x{under.height}: use --mode stream"
            ) from error

    def prepare(self, width: int, height: int, bit_depth: int) -> None:
        """Let the compiled engine fuse a picture; the plain network has nothing to prepare."""
        if self._fast_for((height, width)) is not None:
            luma = torch.zeros(height, width)
            chroma = torch.zeros(2, -(-height // 2), -(-width // 2))
            black = Planes(_rounded(luma, bit_depth), _rounded(chroma, bit_depth), bit_depth)
            self.push(black, black, ColorTags())

    def drain(self) -> list[Planes]:
        """Nothing is ever under way."""
        return []

    def close(self) -> None:
        """Let go of the threads."""
        if self._strips is not None:
            self._strips.close()

    def _fuse(self, under: Planes, over: Planes, color: ColorTags) -> Planes:
        codes = CodeValues.of(color, under.bit_depth)
        coefficients = color.luma_coefficients(height=under.height)
        fast = self._fast_for((under.height, under.width))
        if fast is not None:
            return fast.fuse(under, over, coefficients, codes)
        under_luma, over_luma = ((_floats(each.luma)[None] - codes.black) / codes.luma_span for each in (under, over))
        under_chroma, over_chroma = ((_floats(each.chroma) - codes.grey) / codes.chroma_span for each in (under, over))
        luma = fuse_tiled(
            self._network,
            under_luma.clamp(0, 1),
            over_luma.clamp(0, 1),
            working_side=working_side(self._mode, under.height, under.width),
            rows=strip_rows(under.height, under.width),
        )
        chroma = fuse_chroma(under_luma, over_luma, luma, under_chroma, over_chroma, coefficients)
        return Planes(
            _rounded(luma[0, 0] * codes.luma_span + codes.black, under.bit_depth),
            _rounded(chroma[0] * codes.chroma_span + codes.grey, under.bit_depth),
            under.bit_depth,
        )

    def _fast_for(self, size: tuple[int, int]) -> CompiledFusion | None:
        """The faster engine for pictures of one size, kept until another size comes; None where it does not serve."""
        engine = compiled_engine()
        if self._strips is None or min(size) < SMALLEST_SIDE or isinstance(engine, str):
            return None
        if self._fast is None or self._fast.size != size:
            self._fast = None
            self._fast = engine(self._network, size, self._strips)
        return self._fast


def _floats(plane: PixelArray) -> Tensor:
    """(..., H, W) code values as float32 (1, ..., H, W)."""
    return torch.from_numpy(np.ascontiguousarray(plane))[None].to(torch.float32)


def _rounded(values: Tensor, bit_depth: int) -> PixelArray:
    """Round and clip to code values."""
    rounded = values.round().clamp(0, (1 << bit_depth) - 1)
    if bit_depth == 8:
        return rounded.to(torch.uint8).numpy()
    array: npt.NDArray[np.uint16] = rounded.to(torch.int32).numpy().astype(np.uint16)
    return array
