"""Settings as they are written: YAML files, presets by name, ``--set a.b=c``."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from difflib import get_close_matches
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from pipeline.registry import OPTIONAL_ROLES, STAGES, default_kind
from stages.errors import ConfigError

Settings = dict[str, Any]

_ASKING_KEYS = frozenset({"kind", "address"})
"""Whoever sets one of these for an optional role wants it played; another only changes how."""
_ASKING_OPTIONS = {"publishing": "--publish ADDRESS"}
"""What else of the command line asks for a role."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key '{key_node.value}' is given twice", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def preset_names() -> list[str]:
    """Names of the presets that come with lumabraid."""
    files = resources.files("configs").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def preset_title(name: str) -> str:
    """The first sentence of the comment at the top of a preset."""
    comment = takewhile(lambda line: line.startswith("#"), _preset_text(name).splitlines())
    return " ".join(line.removeprefix("#").strip() for line in comment).partition(". ")[0]


def read_settings(name_or_path: str) -> Settings:
    """The settings in a preset or a YAML file; a preset's bare name wins over a file of that name.

    Raises:
        ConfigError: neither exists, or it is not YAML made of ``key: value`` lines.
    """
    presets = preset_names()
    if name_or_path in presets:
        return parse_settings(_preset_text(name_or_path), name_or_path)
    try:
        text = Path(name_or_path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration '{name_or_path}': neither a file nor a preset ({', '.join(presets)})"
            f"{did_you_mean(name_or_path, presets)}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name_or_path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{name_or_path}: cannot be read: {error.strerror}") from None
    return parse_settings(text, name_or_path)


def parse_settings(text: str, name: str) -> Settings:
    """Settings in a YAML text; ``name`` is for messages."""
    settings = _parse_yaml(text, name)
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{name}: expected 'key: value' lines, found {_describe(settings)}")
    return settings


def apply_overrides(settings: Settings, overrides: Iterable[str]) -> Settings:
    """A copy of the settings with each ``a.b=c`` applied; the value is read as YAML.

    Naming another ``kind`` for a section starts that section anew: settings of one kind mean nothing to
    another.

    Raises:
        ConfigError: one is not ``a.b=c``, leads into what is no section, or changes a part of an optional role that
            nobody asked for.
    """
    result: Settings = _copy(settings)
    parsed = [_parse_override(override) for override in overrides]
    _refuse_unasked(result, parsed)
    for path, value in sorted(parsed, key=lambda override: override[0][-1] != "kind"):
        *parents, key = path
        section = result
        for depth, parent in enumerate(parents):
            inner = section.get(parent)
            if inner is None:
                inner = section[parent] = {}
            if not isinstance(inner, dict):
                outer = ".".join(parents[: depth + 1])
                raise ConfigError(f"--set {'.'.join(path)}: {outer} is {_describe(inner)}, not a section")
            section = inner
        role = parents[0] if len(parents) == 1 else ""
        if key == "kind" and role in STAGES and value != section.get("kind", default_kind(role)):
            section.clear()
        section[key] = value
    return result


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or nothing."""
    matches = get_close_matches(word, list(known), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def _preset_text(name: str) -> str:
    return (resources.files("configs") / f"{name}.yaml").read_text(encoding="utf-8")


def _refuse_unasked(settings: Settings, overrides: Sequence[tuple[list[str], Any]]) -> None:
    """Refuse to change what is not there: to say how frames are published must not publish them."""
    asked = {path[0] for path, value in overrides if _asks(path, value)}
    absent = {role for role in OPTIONAL_ROLES if settings.get(role) is None and role not in asked}
    for path, _ in overrides:
        role = path[0]
        if role in absent and len(path) > 1:
            ways = [_ASKING_OPTIONS[role]] if role in _ASKING_OPTIONS else []
            ways.append(f"--set {role}.kind={default_kind(role)}")
            raise ConfigError(
                f"--set {'.'.join(path)}: there is no {role} to change; ask for it with {' or '.join(ways)}"
            )


def _asks(path: list[str], value: Any) -> bool:
    """Whether an override means that its role be played."""
    return value is not None if len(path) == 1 else path[1] in _ASKING_KEYS


def _parse_override(override: str) -> tuple[list[str], Any]:
    key, equals, text = override.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise ConfigError(f"--set {override}: expected KEY=VALUE, such as --set channels.capacity=8")
    return path, _parse_yaml(text, f"--set {key}")


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}:" if mark and mark.line else ""
        raise ConfigError(f"{name}:{line} not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _describe(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"'{value}'"
