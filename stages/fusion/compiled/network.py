"""``LCNDR.weigh`` as one kernel for each exposure: the same function in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from torch import nn

from stages.compiling import kernel, part
from stages.fusion.compiled.attention import Attention, Gate, attend, weigh_channels
from stages.fusion.compiled.convolution import bordered, convolve_rows, filled_channels
from stages.fusion.compiled.layer import Layer, affine, as_array
from stages.fusion.compiled.resampling import Indices, fill_planes
from stages.fusion.compiled.rows import Floats
from stages.fusion.lcndr import LCNDR, SelfAttention, Widths
from stages.fusion.strips import Pass, each

_Parameters: TypeAlias = tuple[Floats, Floats, np.float32]
"""Weights, biases, slope, as ``convolve`` takes them."""


class _Layers(NamedTuple):
    """What both exposures go through."""

    shallow: _Parameters
    middle: _Parameters
    deep: _Parameters
    squeeze: _Parameters
    weigh: _Parameters
    logits: _Parameters
    gate: Gate


class _Planes(NamedTuple):
    """What lies between the layers for one exposure, as ``bordered`` makes it, and room to work in."""

    luma: Floats
    features: Floats
    """Shallow, deep, the other exposure's luma."""
    middle: Floats
    joined: Floats
    """Local, context."""
    hidden: Floats
    logits: Floats
    attention: Attention
    gated: Floats
    """The squeezing layer's weights, of which those of shallow features are to be gated."""
    seen: Floats
    """Mean and maximum of each shallow channel, (2, channels)."""
    factors: Floats
    """Of each shallow channel."""
    wide: Floats
    """Rows of the reduced map as wide as the picture, and one more."""
    columns: Indices
    """Two rows."""


class CompiledWeights:
    """CEM and SAM for pictures of one size, with all planes between the layers.

    Args:
        network: its parameters are read once.
        size: (height, width) of the pictures CEM and SAM see.
    """

    def __init__(self, network: LCNDR, size: tuple[int, int]) -> None:
        widths = Widths.of(network.state_dict())
        self._size = size
        # A SAM that is switched off says the same of both exposures.
        self._layers = _layers(network, widths) if isinstance(network.sam.weigh[2], nn.Conv2d) else None
        # Channels between the layers are filled up; what reads them has no weight for those.
        luma_at = filled_channels(widths.shallow) + filled_channels(widths.deep)
        joined = filled_channels(widths.attention) + widths.attention
        height, width = (max(1, round(side / SelfAttention.REDUCTION)) for side in size)
        features = [bordered(luma_at + 1, *size)[: luma_at + 1] for _ in range(2)]
        self.lumas = [features[1][-1], features[0][-1]]
        """Of under and over, in [0, 1]: (height + 2, ...) with a border of one pixel of zeros; to be filled."""
        self._exposures = [
            _Planes(
                luma=luma[None],
                features=seen,
                middle=bordered(widths.middle, *size),
                joined=bordered(joined, *size)[:joined],
                hidden=bordered(widths.attention, *size),
                logits=bordered(2, *size),
                attention=Attention.of(
                    affine(network.sam.query_key_value, widths.attention),
                    affine(network.sam.project, widths.attention),
                    (height, width),
                ),
                gated=np.zeros((filled_channels(widths.attention) // 4, luma_at + 1, 1, 4), np.float32),
                seen=np.zeros((2, widths.shallow), np.float32),
                factors=np.zeros(widths.shallow, np.float32),
                wide=np.zeros((height + 1, size[1]), np.float32),
                columns=np.zeros((2, size[1]), np.uint32),
            )
            for luma, seen in zip(self.lumas, features, strict=True)
        ]

    def passes(self, after: Sequence[Pass]) -> list[Pass]:
        """Passes that leave ``logits``, after those that fill the lumas."""
        layers, (height, width) = self._layers, self._size
        if layers is None:
            return list(after)
        return [
            each(
                2, lambda exposure: weigh_exposure(layers, self._exposures[exposure], height, width), after_all_of=after
            )
        ]

    def logits(self) -> Floats:
        """What ``passes`` leave: (2, height, width) of over against under."""
        height, width = self._size
        if self._layers is None:
            return np.zeros((2, height, width), np.float32)
        under, over = (planes.logits[:2, 1 : 1 + height, 1 : 1 + width] for planes in self._exposures)
        return over - under


def _layers(network: LCNDR, widths: Widths) -> _Layers:
    """CEM's and SAM's, their channels arranged as the planes are."""
    cem, sam, parameters = network.cem, network.sam, network.state_dict()
    deep_from, context_from = filled_channels(widths.shallow), filled_channels(widths.attention)
    luma_at = deep_from + filled_channels(widths.deep)
    squeeze = as_array(parameters["sam.squeeze.0.weight"])
    squeezing = np.zeros((widths.attention, luma_at + 1, 1, 1), np.float32)
    squeezing[:, : widths.shallow] = squeeze[:, : widths.shallow]
    squeezing[:, deep_from : deep_from + widths.deep] = squeeze[:, widths.shallow : -1]
    squeezing[:, -1] = squeeze[:, -1]
    weigh = as_array(parameters["sam.weigh.0.weight"])
    weighing = np.zeros((widths.attention, context_from + widths.attention, 3, 3), np.float32)
    weighing[:, : widths.attention] = weigh[:, : widths.attention]
    weighing[:, context_from:] = weigh[:, widths.attention :]
    first, _, second = cem.attention.mlp
    return _Layers(
        shallow=Layer(cem.shallow[0], cem.shallow[1]).parameters,
        middle=Layer(cem.convolution[0], cem.convolution[1]).parameters,
        deep=Layer(cem.convolution[2], cem.convolution[3]).parameters,
        squeeze=Layer(sam.squeeze[0], sam.squeeze[1], squeezing).parameters,
        weigh=Layer(sam.weigh[0], sam.weigh[1], weighing).parameters,
        logits=Layer(sam.weigh[2]).parameters,
        gate=Gate(*affine(first, widths.shallow), *affine(second, widths.shallow // 4)),
    )


@kernel
def weigh_exposure(layers: _Layers, planes: _Planes, height: int, width: int) -> None:
    """One exposure's logits, into its planes.

    Args:
        layers: of CEM and SAM.
        planes: of the exposure, its luma and the other's filled.
        height: of the picture.
        width: of the picture.
    """
    _weigh_exposure(layers, planes, height, width)


@part
def _weigh_exposure(layers: _Layers, planes: _Planes, height: int, width: int) -> None:
    """The same."""
    features, middle, joined, hidden = planes.features, planes.middle, planes.joined, planes.hidden
    gated, factors = planes.gated, planes.factors
    first, second, third = layers.shallow, layers.middle, layers.deep
    convolve_rows(planes.luma, first[0], first[1], first[2], features, 0, height, width)
    convolve_rows(features, second[0], second[1], second[2], middle, 0, height, width)
    # There are as many biases as planes, those that fill up included.
    deep = features[first[1].size :]
    convolve_rows(middle, third[0], third[1], third[2], deep, 0, height, width)
    weigh_channels(features, height, width, layers.gate, planes.seen, factors)
    first, second, third = layers.squeeze, layers.weigh, layers.logits
    for block in range(gated.shape[0]):
        for channel in range(gated.shape[1]):
            factor = factors[channel] if channel < factors.size else np.float32(1)
            for output in range(gated.shape[3]):
                gated[block, channel, 0, output] = first[0][block, channel, 0, output] * factor
    convolve_rows(features, gated, first[1], first[2], joined, 0, height, width)
    attend(joined, width, planes.attention, planes.wide[0])
    fill_planes(planes.attention.context, joined[first[1].size :], 1, planes.wide, planes.columns)
    convolve_rows(joined, second[0], second[1], second[2], hidden, 0, height, width)
    convolve_rows(hidden, third[0], third[1], third[2], planes.logits, 0, height, width)
