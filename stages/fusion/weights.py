"""Weights as safetensors, read and written with nothing but torch and numpy.

The format: 8 bytes of little-endian header length, a JSON header that gives each tensor's dtype, shape and byte range,
then the bytes (huggingface/safetensors, README, "Format").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.errors import ConfigError

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
_LONGEST_HEADER = 1 << 20


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as float32 with string metadata."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    chunks: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        data = tensor.detach().cpu().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(chunks))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors as float32, and the metadata.

    Raises:
        ConfigError: the file is missing or is not safetensors.
    """
    try:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        if not 2 <= length <= min(_LONGEST_HEADER, len(data) - 8):
            raise ValueError(f"a header of {length} bytes in a file of {len(data)}")
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("metadata that is not text")
        body = data[8 + length :]
        tensors = {name: _tensor(entry, body) for name, entry in header.items()}
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the weights: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a safetensors file of float weights ({error})") from error
    return tensors, metadata


def _tensor(entry: dict[str, Any], body: bytes) -> Tensor:
    begin, end = entry["data_offsets"]
    values = np.frombuffer(body[begin:end], _DTYPES[entry["dtype"]]).astype(np.float32)
    return torch.from_numpy(values.reshape(entry["shape"]))
