"""The client stands alone."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import lumabraid

CLIENT = Path(__file__).parents[2] / "client"


def test_it_imports_only_what_it_declares() -> None:
    declared = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    modules = {{"pyzmq": "zmq"}.get(name, name) for name in (dependency.split(">")[0] for dependency in declared)}
    imported: set[str] = set()
    for path in (CLIENT / "lumabraid").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert imported - sys.stdlib_module_names - {"lumabraid"} == modules
    assert "pickle" not in imported


def test_it_works_where_the_application_is_not_installed() -> None:
    blocked = ["stages", "pipeline", "torch", "cv2", "av", "pydantic", "yaml", "click", "rich"]
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(CLIENT)!r})\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "import lumabraid\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_it_is_typed_and_says_what_is_public() -> None:
    assert (CLIENT / "lumabraid" / "py.typed").is_file()
    for module in (lumabraid, lumabraid.keys, lumabraid.wire):
        assert all(hasattr(module, name) for name in module.__all__)


def test_a_forgotten_subscriber_does_not_keep_a_program_alive() -> None:
    program = "import lumabraid; frames = lumabraid.Subscriber('tcp://127.0.0.1:1')"
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stderr == ""
