"""``LCNDR.weigh`` with convolutions of this folder: the same function in float32, a thread for each exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.fusion.compiled.convolution import bordered, filled_channels
from stages.fusion.compiled.layer import Layer, as_array
from stages.fusion.compiled.resampling import pool_planes, resize_planes
from stages.fusion.compiled.rows import Floats
from stages.fusion.lcndr import LCNDR, SelfAttention, Widths
from stages.fusion.strips import Strips


class CompiledWeights:
    """CEM and SAM for pictures of one size, with all planes between the layers.

    Args:
        network: its parameters are read once.
        size: (height, width) of the pictures CEM and SAM see.
        strips: threads to work on.
    """

    def __init__(self, network: LCNDR, size: tuple[int, int], strips: Strips) -> None:
        cem, sam = network.cem, network.sam
        parameters = network.state_dict()
        widths = Widths.of(parameters)
        self._strips = strips
        self._size = size
        self._attention = cem.attention
        self._sam = sam
        self._widths = widths
        self._shallow = Layer(cem.shallow[0], cem.shallow[1])
        self._middle = Layer(cem.convolution[0], cem.convolution[1])
        self._deep = Layer(cem.convolution[2], cem.convolution[3])
        # Channels between the layers are filled up; what reads them has no weight for those.
        self._deep_from = filled_channels(widths.shallow)
        luma_at = self._deep_from + filled_channels(widths.deep)
        squeeze = as_array(parameters["sam.squeeze.0.weight"])
        arranged = np.zeros((widths.attention, luma_at + 1, 1, 1), np.float32)
        arranged[:, : widths.shallow] = squeeze[:, : widths.shallow]
        arranged[:, self._deep_from : self._deep_from + widths.deep] = squeeze[:, widths.shallow : -1]
        arranged[:, -1] = squeeze[:, -1]
        self._squeeze = Layer(sam.squeeze[0], sam.squeeze[1], arranged)
        self._context_from = filled_channels(widths.attention)
        weigh = as_array(parameters["sam.weigh.0.weight"])
        arranged = np.zeros((widths.attention, self._context_from + widths.attention, 3, 3), np.float32)
        arranged[:, : widths.attention] = weigh[:, : widths.attention]
        arranged[:, self._context_from :] = weigh[:, widths.attention :]
        self._weigh = Layer(sam.weigh[0], sam.weigh[1], arranged)
        # A SAM that is switched off says the same of both exposures.
        self._logits = Layer(sam.weigh[2]) if isinstance(sam.weigh[2], nn.Conv2d) else None
        self._exposures = [
            _Planes(
                features=bordered(luma_at + 1, *size)[: luma_at + 1],
                middle=bordered(widths.middle, *size),
                joined=bordered(self._context_from + widths.attention, *size)[: self._context_from + widths.attention],
                hidden=bordered(widths.attention, *size),
                logits=bordered(2, *size),
            )
            for _ in range(2)
        ]
        self.lumas = [self._exposures[1].features[-1], self._exposures[0].features[-1]]
        """Of under and over, in [0, 1]: (height + 2, ...) with a border of one pixel of zeros; to be filled."""

    def run(self) -> Floats:
        """Logits (2, height, width) of over against under."""
        height, width = self._size
        if self._logits is None:
            return np.zeros((2, height, width), np.float32)
        self._strips.each(2, self._weigh_exposure)
        under, over = (planes.logits[:2, 1 : 1 + height, 1 : 1 + width] for planes in self._exposures)
        return over - under

    # The mode belongs to a thread.
    @torch.inference_mode()
    def _weigh_exposure(self, exposure: int) -> None:
        """One exposure's logits."""
        planes, widths = self._exposures[exposure], self._widths
        height, width = self._size
        shape = (0, height, width)
        shallow = planes.features[: widths.shallow]
        self._shallow.run(self.lumas[exposure][None], planes.features[: self._deep_from], *shape)
        self._middle.run(shallow, planes.middle, *shape)
        self._deep.run(planes.middle[: widths.middle], planes.features[self._deep_from : -1], *shape)
        gated = self._squeeze.weight.copy()
        gated[:, : widths.shallow] *= self._gate(shallow)[:, None, None]
        local, context = planes.joined[: self._context_from], planes.joined[self._context_from :]
        self._squeeze.run(planes.features, local, *shape, weight=gated)
        resize_planes(self._attended(local), context, 1, width)
        self._weigh.run(planes.joined, planes.hidden, *shape)
        assert self._logits is not None
        self._logits.run(planes.hidden[: widths.attention], planes.logits, *shape)

    def _gate(self, shallow: Floats) -> Floats:
        """CEM's channel attention, (channels,)."""
        height, width = self._size
        inside = torch.from_numpy(shallow)[None, :, 1 : 1 + height, 1 : 1 + width]
        mlp = self._attention.mlp
        gate: Tensor = torch.sigmoid(mlp(inside.mean(dim=(2, 3))) + mlp(inside.amax(dim=(2, 3))))
        return gate[0].numpy()

    def _attended(self, local: Floats) -> Floats:
        """SAM's attention over the reduced map, added to it: (channels, h, w)."""
        size = [max(1, round(side / SelfAttention.REDUCTION)) for side in self._size]
        pooled = np.empty((self._widths.attention, *size), np.float32)
        pool_planes(local, self._size[1], pooled)
        reduced = torch.from_numpy(pooled)[None]
        tokens = self._sam.query_key_value(reduced).flatten(2).transpose(1, 2).contiguous()
        query, key, value = tokens.chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        context: Tensor = reduced + self._sam.project(attended.transpose(1, 2).reshape(reduced.shape))
        return context[0].numpy()


@dataclass(frozen=True, slots=True, eq=False)
class _Planes:
    """What lies between the layers for one exposure, as ``bordered`` makes it."""

    features: Floats
    """Shallow, deep, the other exposure's luma."""
    middle: Floats
    joined: Floats
    """Local, context."""
    hidden: Floats
    logits: Floats
