"""From the code values of two pictures to those of one, on the device: conversion, network, chroma, conversion."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stages.device.planes import Layout
from stages.frame import ColorTags, Planes
from stages.fusion.chroma import fuse_chroma
from stages.fusion.codes import CodeValues
from stages.fusion.cuda.empty import own_shares, with_shares
from stages.fusion.cuda.network import DeviceNetwork


@dataclass(frozen=True, slots=True)
class Format(Layout):
    """What must stay the same for buffers and a graph to serve the next pair, too."""

    color: ColorTags

    @classmethod
    def of(cls, planes: Planes, color: ColorTags) -> Format:
        """That of a picture."""
        return cls(planes.height, planes.width, planes.bit_depth, color)


class PairProgram:
    """Fuses pictures of one format.

    Args:
        network: on the device.
        picture: of both pictures and the fused one.
    """

    def __init__(self, network: DeviceNetwork, picture: Format) -> None:
        self.network = network
        self.picture = picture
        self._values = CodeValues.of(picture.color, picture.bit_depth)

    def __call__(self, pair: Tensor, fused: Tensor) -> None:
        """Fuse.

        Args:
            pair: (2 * codes,) of under, then over: luma, Cb, Cr each.
            fused: (codes,), written: luma, Cb, Cr.
        """
        lumas, chromas = self.read(pair)
        luma = self.network(lumas.clamp(0, 1))
        self.write(luma, self.chroma(lumas, luma, chromas), fused)

    def read(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Luma (1, 2, H, W), 0 = black, 1 = white, and chroma (2, 2, h, w) in [-0.5, 0.5] of both pictures.

        One that shows nothing is replaced by the other.
        """
        luma, chroma = self.picture.split(pair.view(2, self.picture.codes))
        precision, values = self.network.precision, self._values
        shares = own_shares(luma, values)
        lumas = with_shares(luma.to(precision).sub_(values.black).div_(values.luma_span), shares)
        chromas = with_shares(chroma.to(precision).sub_(values.grey).div_(values.chroma_span), shares)
        return lumas[None], chromas

    def chroma(self, lumas: Tensor, fused: Tensor, chromas: Tensor) -> Tensor:
        """Fused chroma, (1, 2, h, w); ``fused`` is luma, (1, 1, H, W)."""
        coefficients = self.picture.color.luma_coefficients(height=self.picture.height)
        return fuse_chroma(lumas[:, :1], lumas[:, 1:], fused, chromas[:1], chromas[1:], coefficients)

    def write(self, luma: Tensor, chroma: Tensor, fused: Tensor) -> None:
        """Round (1, 1, H, W) and (1, 2, h, w) to code values."""
        fused_luma, fused_chroma = self.picture.split(fused)
        values = self._values
        for plane, span, offset, target in (
            (luma[0, 0], values.luma_span, values.black, fused_luma),
            (chroma[0], values.chroma_span, values.grey, fused_chroma),
        ):
            # Half precision has no room for 10-bit codes and their fractions.
            target.copy_((plane.float() * span).add_(offset).round_().clamp_(0, values.top))
