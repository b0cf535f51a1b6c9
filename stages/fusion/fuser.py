"""Fuses one pair of pictures: planes in, planes out, on any device torch has."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.errors import DeviceError
from stages.frame import ColorTags, PixelArray, Planes
from stages.fusion.chroma import fuse_chroma
from stages.fusion.fast import SMALLEST_SIDE, FastFusion
from stages.fusion.lcndr import LCNDR
from stages.fusion.strips import Strips
from stages.fusion.tiles import fuse_tiled, strip_rows

Mode = Literal["full", "stream"]
DeviceName = Literal["auto", "cpu", "cuda"]

STREAM_WORKING_SIDE = 256
"""Pixels of the longer side that CEM and SAM see in ``stream`` mode."""


def choose_device(name: DeviceName) -> torch.device:
    """``auto`` takes CUDA where there is one.

    Raises:
        DeviceError: CUDA was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device was found: use --device cpu, or install a CUDA build of torch and a driver")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


class Fuser:
    """A network on a device in one of its modes.

    Args:
        network: with its weights.
        mode: ``full`` runs every module at full resolution; ``stream`` lets CEM and SAM see a small picture.
        device: from ``choose_device``.
    """

    def __init__(self, network: LCNDR, mode: Mode, device: torch.device) -> None:
        self._network = network.to(device).eval()
        # Measured on CPUs: convolutions of few channels take about half the time with channels last.
        for weight in self._network.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.to(memory_format=torch.channels_last)
        self._working_side = STREAM_WORKING_SIDE if mode == "stream" else None
        self._device = device
        self._strips = Strips(torch.get_num_threads()) if device.type == "cpu" and mode == "stream" else None
        self._fast: FastFusion | None = None

    def fuse(self, under: Planes, over: Planes, color: ColorTags) -> Planes:
        """The fused picture: same size, bit depth and colour tags as the two given.

        Args:
            under: the shorter exposure.
            over: the longer exposure, same size and bit depth.
            color: tags of both, which name range and matrix.

        Raises:
            DeviceError: the device ran out of memory.
        """
        black, luma_span, chroma_span = _code_values(color, under.bit_depth)
        middle = float(1 << (under.bit_depth - 1))
        try:
            with torch.inference_mode():
                fast = self._fast_for((under.height, under.width))
                if fast is not None:
                    white, top = black + luma_span, (1 << under.bit_depth) - 1
                    coefficients = color.luma_coefficients(height=under.height)
                    return Planes(
                        fast.luma(under.luma, over.luma, black=black, white=white, top=top),
                        fast.chroma(under, over, coefficients, black=black, white=white, chroma_span=chroma_span),
                        under.bit_depth,
                    )
                under_luma, over_luma = (
                    (self._upload(planes.luma)[None] - black) / luma_span for planes in (under, over)
                )
                under_chroma, over_chroma = (
                    (self._upload(planes.chroma) - middle) / chroma_span for planes in (under, over)
                )
                luma = fuse_tiled(
                    self._network,
                    under_luma.clamp(0, 1),
                    over_luma.clamp(0, 1),
                    working_side=self._working_side,
                    rows=strip_rows(under.height, under.width) if self._device.type == "cpu" else under.height,
                )
                chroma = fuse_chroma(
                    under_luma,
                    over_luma,
                    under_chroma,
                    over_chroma,
                    color.luma_coefficients(height=under.height),
                )
                return Planes(
                    _download(luma[0, 0] * luma_span + black, under.bit_depth),
                    _download(chroma[0] * chroma_span + middle, under.bit_depth),
                    under.bit_depth,
                )
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self._device.type} ran out of memory fusing {under.width}x{under.height}: use --mode stream"
            ) from error

    def _fast_for(self, size: tuple[int, int]) -> FastFusion | None:
        """The faster engine for pictures of one size, kept until another size comes; None where it does not serve."""
        if self._strips is None or min(size) < SMALLEST_SIDE:
            return None
        if self._fast is None or self._fast.size != size:
            self._fast = None
            self._fast = FastFusion(self._network, size, STREAM_WORKING_SIDE, self._strips)
        return self._fast

    def _upload(self, plane: PixelArray) -> Tensor:
        """(..., H, W) code values as float32 (1, ..., H, W) on the device."""
        return torch.from_numpy(np.ascontiguousarray(plane)).to(self._device)[None].to(torch.float32)


def _code_values(color: ColorTags, bit_depth: int) -> tuple[float, float, float]:
    """(black level, luma excursion, chroma excursion), ITU-T H.273 section 8.3."""
    unit = float(1 << (bit_depth - 8))
    top = float((1 << bit_depth) - 1)
    return (0.0, top, top) if color.is_full_range else (16 * unit, 219 * unit, 224 * unit)


def _download(values: Tensor, bit_depth: int) -> PixelArray:
    """Round and clip to code values."""
    dtype: type[np.uint8] | type[np.uint16] = np.uint8 if bit_depth == 8 else np.uint16
    rounded = values.round().clamp(0, (1 << bit_depth) - 1)
    if bit_depth == 8:
        return rounded.to(torch.uint8).cpu().numpy()
    array: npt.NDArray[np.uint16] = rounded.to(torch.int32).cpu().numpy().astype(dtype)
    return array
