"""Parts of LCNDR switched off, to learn what each is good for.

Within CEM and SAM, a part that is switched off stays in its place, and its last layer gives a constant at which it does
nothing: whatever runs a network runs such a one too. What revises, and the blend's judges, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from torch import Tensor, nn

from stages.fusion.blend import MultiScaleBlend
from stages.fusion.lcndr import LCNDR

_LAST_LAYERS: Final[dict[str, tuple[str, float]]] = {
    # A sigmoid follows, which is 1 there.
    "cem-attention": ("cem.attention.mlp.2", 20.0),
    "sam-attention": ("sam.query_key_value", 0.0),
    "sam": ("sam.weigh.2", 0.0),
}

PARTS: Final = (*_LAST_LAYERS, "judge", "structure", "erm", "refinement")
"""``cem-attention``, the weighing of channels; ``sam-attention``, the view of the whole picture; ``sam``, the weight
maps, and with them all that CEM says, so that what is compared in the pyramid chooses alone; ``judge``, what weighs
them against each other, and the gradients; ``structure``, the blend's steps towards what both exposures show; ``erm``,
the revision of edges; ``refinement``, the steps after it."""


def switch_off(network: LCNDR, parts: Iterable[str]) -> LCNDR:
    """Take parts out of a network, for good, their last layers' weights with them.

    Args:
        network: changed in place.
        parts: some of ``PARTS``.

    Returns:
        The network.

    Raises:
        KeyError: there is no such part.
    """
    for part in sorted(set(parts)):
        if part in ("erm", "refinement"):
            setattr(network, part, None)
            continue
        if part == "judge":
            judged, network.blend = network.blend, MultiScaleBlend(0)
            network.blend.structure = judged.structure
            network.blend.start_from(judged)
            network.blend.requires_grad_(judged.guidance.requires_grad)
            continue
        if part == "structure":
            network.blend.structure = None
            continue
        path, value = _LAST_LAYERS[part]
        weight = next(network.get_submodule(path).parameters())
        network.set_submodule(path, _Constant(weight.shape[0], value))
    return network


class _Constant(nn.Module):
    """Gives the same value in each of its channels, whatever it is given."""

    def __init__(self, channels: int, value: float) -> None:
        super().__init__()
        self._channels = channels
        self._value = value

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, ...) -> (B, channels, ...)."""
        return features.new_full((features.shape[0], self._channels, *features.shape[2:]), self._value)
