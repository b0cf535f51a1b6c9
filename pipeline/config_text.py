"""A configuration as text: complete commented YAML, and the JSON schema of all there is."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import yaml

from pipeline.config import PipelineConfig, config_model
from pipeline.registry import OPTIONAL_ROLES, STAGES, default_kind, stage_class

_COMMENT_WIDTH: Final = 100


def to_yaml(config: PipelineConfig) -> str:
    """Every setting with its value, defaults included, each under its description; loads again as it is."""
    schema = type(config).model_json_schema()
    return "\n".join(_lines(config.model_dump(mode="json"), schema, schema.get("$defs", {}), "")) + "\n"


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a configuration with every kind of stage, for editors."""
    kinds = {role: list(known) for role, known in STAGES.items()}
    schema = config_model(kinds, optional=OPTIONAL_ROLES).model_json_schema()
    required = [role for role in STAGES if _needs_settings(role) and role != "encoding"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "required": required,
        "anyOf": [{"required": [role]} for role in ("encoding", *OPTIONAL_ROLES)],
    }


def _needs_settings(role: str) -> bool:
    """Whether a configuration cannot leave this role's section out."""
    settings = dataclasses.fields(stage_class(role, default_kind(role)).Config)
    missing = dataclasses.MISSING
    return any(setting.default is missing and setting.default_factory is missing for setting in settings)


def _lines(settings: dict[str, Any], schema: dict[str, Any], definitions: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in settings.items():
        node = schema["properties"][key]
        target = definitions.get(node.get("$ref", "").rpartition("/")[2], {})
        yield from _comment({**target, **node}, indent)
        if "properties" in target:
            yield f"{indent}{key}:"
            yield from _lines(value, target, definitions, indent + "  ")
        else:
            yield f"{indent}{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=2**20)
    return text.removesuffix("...\n").rstrip()


def _comment(node: dict[str, Any], indent: str) -> list[str]:
    words = node.get("description", "")
    if "enum" in node:
        words = f"{words} One of: {', '.join(str(value) for value in node['enum'])}.".lstrip()
    prefix = f"{indent}# "
    return textwrap.wrap(words, _COMMENT_WIDTH, initial_indent=prefix, subsequent_indent=prefix)
