"""What would touch the host, were the meta device, which computes nothing, a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class DevicesSeen(TorchDispatchMode):
    """Writes down the operations that touch tensors elsewhere.

    Args:
        copies_up: copies from the host to the device are none of them.
    """

    def __init__(self, *, copies_up: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elsewhere: list[str] = []
        self.operations = 0
        self._copies_up = copies_up

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if self._copies_up and func is torch.ops.aten.copy_.default and args[0].device.type == "meta":
            return result
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        # torch.tensor ends with detach_, wherever the tensor then lies.
        made_from_python = func is torch.ops.aten.detach_.default
        if made_from_python or any(tensor.device.type != "meta" for tensor in tensors):
            self.elsewhere.append(str(func))
        return result
