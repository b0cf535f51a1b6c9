"""A layer's parameters as ``convolve`` takes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from stages.fusion.compiled.convolution import filled_channels, packed
from stages.fusion.compiled.rows import Floats


class Layer:
    """A convolution and its rectifier.

    Args:
        convolution: its parameters are read once.
        activation: what follows it, if anything does.
        weight: in place of the convolution's own.
    """

    def __init__(
        self, convolution: nn.Module, activation: nn.Module | None = None, weight: Floats | None = None
    ) -> None:
        assert isinstance(convolution, nn.Conv2d)
        self.weight = packed(as_array(convolution.weight) if weight is None else weight)
        self.biases = np.zeros(filled_channels(convolution.out_channels), np.float32)
        if convolution.bias is not None:
            self.biases[: convolution.out_channels] = as_array(convolution.bias)
        assert activation is None or isinstance(activation, nn.PReLU)
        self.slope = np.float32(1 if activation is None else activation.weight.item())

    @property
    def parameters(self) -> tuple[Floats, Floats, np.float32]:
        """Weights, biases and slope."""
        return self.weight, self.biases, self.slope


def affine(layer: nn.Module, inputs: int) -> tuple[Floats, Floats]:
    """Weights (out, in) and biases of a layer without neighbours; of one that is switched off, what it always says."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        assert layer.bias is not None
        return as_array(layer.weight).reshape(layer.weight.shape[:2]), as_array(layer.bias)
    biases = as_array(layer(torch.zeros(1, inputs)).flatten())
    return np.zeros((biases.size, inputs), np.float32), biases


def as_array(parameter: Tensor) -> Floats:
    """A parameter's values."""
    array: Floats = np.ascontiguousarray(parameter.detach().numpy(), np.float32)
    return array
