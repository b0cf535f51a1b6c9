from pathlib import Path

import pytest
import safetensors.torch
import torch

from stages.errors import ConfigError
from stages.fusion import weights
from stages.fusion.lcndr import LCNDR, Widths
from stages.fusion.models import list_models, load_model


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    tensors = {"a": torch.rand(3, 4), "b.c": torch.rand(5)}
    weights.save(tmp_path / "w.safetensors", tensors, {"name": "test"})
    read = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    tensors = {"a": torch.rand(3, 4), "half": torch.rand(5).half(), "scalar": torch.tensor(2.0)}
    safetensors.torch.save_file(tensors, tmp_path / "w.safetensors", metadata={"name": "test"})
    read, metadata = weights.load(tmp_path / "w.safetensors")
    assert metadata == {"name": "test"}
    assert all(torch.equal(read[name], tensors[name].float()) for name in tensors)


@pytest.mark.parametrize(
    "content", [b"", b"not weights at all", b"\xff" * 64, b"\x02" + bytes(7) + b"[]", b"\x04" + bytes(7) + b'{"a"']
)
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.safetensors"):
        weights.load(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    weights.save(path, {"a": torch.rand(100)}, {})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ConfigError, match=r"short\.safetensors"):
        weights.load(path)


def test_packaged_models_are_small_and_documented() -> None:
    models = list_models()
    assert "lcndr" in [model.name for model in models]
    for model in models:
        assert model.size_bytes < 2_000_000
        assert model.licence == "CC0-1.0"
        assert model.path.with_suffix(".md").read_text().startswith(f"# {model.name}")


def test_a_model_of_ones_own_is_loaded_by_path(tmp_path: Path) -> None:
    network = LCNDR()
    weights.save(tmp_path / "mine.safetensors", network.state_dict(), {})
    loaded = load_model(str(tmp_path / "mine.safetensors"))
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="lcndr"):
        load_model("no-such-model")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights.save(tmp_path / "other.safetensors", {"a": torch.rand(2)}, {})
    with pytest.raises(ConfigError, match="not the weights"):
        load_model(str(tmp_path / "other.safetensors"))


def test_metadata_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    header = b'{"__metadata__": {"without": 3}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ConfigError, match="metadata"):
        weights.load(path)


def test_a_number_in_place_of_levels_is_refused(tmp_path: Path) -> None:
    tensors = LCNDR().state_dict() | {"blend.gradient": torch.tensor(1.0)}
    weights.save(tmp_path / "odd.safetensors", tensors, {})
    with pytest.raises(ConfigError, match="not the weights"):
        load_model(str(tmp_path / "odd.safetensors"))


def test_more_levels_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match="judged_levels must be at most 6, got 9"):
        Widths(judged_levels=9)
