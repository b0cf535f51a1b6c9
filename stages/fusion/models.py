"""The packaged models: a network's weights beside their model card, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.errors import ConfigError
from stages.fusion import weights
from stages.fusion.ablation import switch_off
from stages.fusion.lcndr import LCNDR, Widths

_FOLDER = Path(__file__).parent / "packaged"


@dataclass(frozen=True, slots=True)
class Model:
    """One set of weights and what is known of it."""

    name: str
    path: Path
    parameters: int
    size_bytes: int
    licence: str
    description: str


def list_models() -> list[Model]:
    """Every packaged model, by name."""
    models = []
    for path in sorted(_FOLDER.glob("*.safetensors"), key=lambda path: path.stem):
        tensors, metadata = weights.load(path)
        models.append(
            Model(
                name=path.stem,
                path=path,
                parameters=sum(tensor.numel() for tensor in tensors.values()),
                size_bytes=path.stat().st_size,
                licence=metadata.get("license", "unknown"),
                description=metadata.get("description", ""),
            )
        )
    return models


def load_model(name: str) -> LCNDR:
    """A network with its weights, on the CPU, ready for inference.

    Args:
        name: of a packaged model, or the path of a ``.safetensors`` file that ``lumabraid train`` wrote.

    Raises:
        ConfigError: there is no such model, or the file does not hold LCNDR weights.
    """
    path = Path(name) if name.endswith(".safetensors") else _FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(packaged.stem for packaged in _FOLDER.glob("*.safetensors")))
        raise ConfigError(f"no model {name}: use one of {known}, or the path of a .safetensors file")
    tensors, metadata = weights.load(path)
    try:
        network = switch_off(LCNDR(Widths.of(tensors)), metadata.get("without", "").split())
        network.load_state_dict(tensors)
    except (LookupError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{path}: these are not the weights of an LCNDR network; if an earlier version made them, train again"
        ) from error
    return network.eval().requires_grad_(False)
