"""Who may import whom: the walls of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = {
    "stages",
    "stages.bracket",
    "stages.frame",
    "stages.stage",
    "stages.errors",
    "stages.color",
    "stages.compiling",
    "stages.hardware",
    "stages.device.choice",
    "stages.device.joining",
    "stages.device.planes",
    "stages.device.queue",
    "stages.device.standin",
    "stages.device.streams",
}
STAGE_FOLDERS = sorted(path.parent.name for path in ROOT.glob("stages/*/__init__.py") if path.parent.name != "device")
STANDARD_LIBRARY = sys.stdlib_module_names
CLIENT = {"lumabraid": ["lumabraid-client"]}
"""The client's own distribution by import name; where it is installed in place, its metadata does not tell."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in it, by absolute name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            if module == "stages":
                yield from (f"stages.{alias.name}" for alias in node.names)


def crossings(paths: list[Path], allowed: set[str]) -> list[str]:
    """Imports of our own rooms other than those allowed (and what lies inside them), as 'file: import'."""
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in imports(path)
        if name.split(".")[0] in {"pipeline", "stages", "configs", "benchmarks", "tests"}
        if not any(name == room or (room not in SHARED and name.startswith(f"{room}.")) for room in allowed)
    ]


def test_shared_modules_know_no_stage_and_no_pipeline() -> None:
    assert crossings([*sorted(ROOT.glob("stages/*.py")), *modules("stages/device")], SHARED) == []


@pytest.mark.parametrize("folder", STAGE_FOLDERS)
def test_a_stage_knows_only_itself_and_the_shared_modules(folder: str) -> None:
    assert crossings(modules(f"stages/{folder}"), {*SHARED, f"stages.{folder}"}) == []


@pytest.mark.parametrize("folder", [folder for folder in STAGE_FOLDERS if folder != "publishing"])
def test_of_the_stages_only_publishing_speaks_the_wire_format(folder: str) -> None:
    speakers = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(f"stages/{folder}")
        for name in imports(path)
        if name.split(".")[0] in {"lumabraid", "zmq"}
    ]
    assert speakers == []


def test_the_client_knows_nothing_of_the_application() -> None:
    needed = {*STANDARD_LIBRARY, "lumabraid", "numpy", "zmq", "msgspec"}
    strangers = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules("client")
        for name in imports(path)
        if name.split(".")[0] not in needed
    ]
    assert strangers == []


def test_the_network_needs_only_torch_and_numpy_and_its_compiled_engine_numba() -> None:
    # stages.color is shared, but needs OpenCV.
    rooms = ("stages", "stages.frame", "stages.stage", "stages.errors", "stages.fusion", "stages.device")
    strangers = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*modules("stages/fusion"), *modules("stages/device")]
        for name in imports(path)
        if name.split(".")[0] not in {*STANDARD_LIBRARY, "torch", "numpy"}
        if path.parent.name != "compiled" or name.split(".")[0] not in {"numba", "llvmlite"}
        if path.parent.name != "compiled" or name != "stages.compiling"
        if name not in rooms and not name.startswith(("stages.fusion.", "stages.device."))
    ]
    assert strangers == []


def test_the_network_imports_where_nothing_else_is_installed() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules("stages/fusion")
        if path.stem != "__main__" and path.parent.name != "compiled"
    ]
    blocked = ["av", "cv2", "pydantic", "yaml", "click", "rich", "psutil", "safetensors", "numba", "llvmlite"]
    program = (
        "import sys, importlib\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_only_declared_dependencies_are_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dependencies = [*project["dependencies"], *project["optional-dependencies"]["metrics"]]
    declared = {dependency.split(">")[0].split("<")[0].split("=")[0] for dependency in dependencies}
    distributions = {**packages_distributions(), **CLIENT}
    undeclared = [
        f"{path.relative_to(ROOT)}: {name}"
        for room in ("pipeline", "stages", "configs")
        for path in modules(room)
        for name in imports(path)
        if (top := name.split(".")[0]) not in {*STANDARD_LIBRARY, "pipeline", "stages", "configs"}
        if not {found.lower().replace("_", "-") for found in distributions.get(top, [])} & declared
    ]
    assert undeclared == []
