"""What is wrong with a configuration, in one line a person can act on."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.config_file import did_you_mean

_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
_MISSING_KEY = {"missing", "missing_argument", "missing_keyword_only_argument"}


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem as ``key path: what is wrong``, with the number of others.

    Unknown keys go first: a misspelt key is often why another seems to be missing.
    """
    problems = sorted(error.errors(), key=lambda problem: problem["type"] not in _UNKNOWN_KEY)
    others = len(problems) - 1
    more = f" ({others} more problem{'s' if others > 1 else ''})" if others else ""
    return _describe(problems[0], model) + more


def _describe(problem: Any, model: type[BaseModel]) -> str:
    kind, loc, seen = problem["type"], problem["loc"], problem["input"]
    path = ".".join(str(part) for part in loc)
    if kind in _UNKNOWN_KEY:
        known = _known_keys(model, loc[:-1])
        hint = did_you_mean(str(loc[-1]), known) or f"; known here: {', '.join(known)}"
        return f"{path}: unknown setting{hint}"
    if kind in _MISSING_KEY:
        return f"{path}: required, but not set"
    if kind == "value_error":
        message = str(problem["ctx"]["error"])
        key = message.partition(" ")[0]
        # A stage names the setting first in its message: "crf must be ..." of encoding is about encoding.crf.
        return f"{path}.{message}" if key in _known_keys(model, loc) else f"{path}: {message}"
    if kind == "literal_error":
        allowed = [str(value) for value in _literals(problem["ctx"]["expected"])]
        return f"{path}: {seen!r} is not one of {', '.join(allowed)}{did_you_mean(str(seen), allowed)}"
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{path}: {message.removeprefix('input ')}, got {seen!r}"


def _literals(expected: str) -> list[str]:
    """The values in pydantic's ``'a', 'b' or 'c'``."""
    return [value.strip("'") for value in expected.replace(" or ", ", ").split(", ")]


def _known_keys(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys of the section at ``loc``."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    node = schema
    for part in loc:
        node = node.get("properties", {}).get(part, {})
        node = next((choice for choice in node.get("anyOf", ()) if "$ref" in choice), node)  # a section or null
        node = definitions.get(node.get("$ref", "").rpartition("/")[2], node)
    return list(node.get("properties", {}))
