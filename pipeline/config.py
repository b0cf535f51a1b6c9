"""The configuration of a pipeline: which stage of which kind in every role, with which settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pipeline.channel import Policy
from pipeline.config_file import Settings, apply_overrides, did_you_mean, read_settings
from pipeline.config_problems import first_problem
from pipeline.registry import OPTIONAL_ROLES, STAGES, default_kind, stage_class
from stages.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


class ChannelConfig(BaseModel):
    """The channels between stages."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    capacity: Annotated[int, Field(ge=1, le=1024)] = 4
    """Items that may wait between two stages; each holds one or two uncompressed frames. Fewer wait where the pictures
    are so large that 24 MB would not hold as many: one of 4K."""
    policy: Policy = "block"
    """What a full channel does: block = the faster stage waits, drop_oldest = the oldest item goes, latest =
    only the newest stays."""


class PipelineConfig(BaseModel):
    """Every setting of a pipeline; a section for each role."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, title="lumabraid pipeline")

    capture: Any
    """Where frames come from."""
    pairing: Any
    """How under is told from over."""
    alignment: Any
    """How the neighbour is brought onto a frame's pixels."""
    fusion: Any
    """How two exposures become one picture."""
    publishing: Any = None
    """How other programs get the fused frames while the pipeline runs; null = not at all."""
    preview: Any = None
    """The page that shows the fused frames in a browser while the pipeline runs; null = none."""
    window: Any = None
    """The desktop window that shows the fused frames while the pipeline runs; null = none."""
    encoding: Any
    """Which file the fused frames go to; may be left out where they are published or shown."""
    channels: ChannelConfig = ChannelConfig()
    """The channels between stages."""
    report: Path | None = None
    """JSON file for the account of the run; null = none."""
    metrics: Annotated[str, Field(pattern=r"^.+:\d{1,5}$")] | None = None
    """HOST:PORT to serve Prometheus metrics at while the pipeline runs, such as 127.0.0.1:9090; null = none."""


def load_config(name_or_path: str, overrides: Iterable[str] = ()) -> PipelineConfig:
    """The configuration in a preset or file, with ``a.b=c`` overrides.

    Raises:
        ConfigError: something in it is unknown, missing or wrong; the message names the first problem.
    """
    try:
        return validate(apply_overrides(read_settings(name_or_path), overrides))
    except _SettingsError as error:
        raise ConfigError(f"{name_or_path}: {error}") from None


def validate(settings: Settings) -> PipelineConfig:
    """Settings as a configuration.

    Raises:
        ConfigError: as ``load_config``.
    """
    sections = dict(settings)
    if sections.get("encoding") is None and any(sections.get(role) is not None for role in OPTIONAL_ROLES):
        sections["encoding"] = {"kind": "none"}
    roles = [role for role in STAGES if role not in OPTIONAL_ROLES or sections.get(role) is not None]
    for role in roles:
        sections[role] = _with_kind(role, sections.get(role))
    model = config_model({role: [sections[role]["kind"]] for role in roles})
    return _validated(model, sections)


def validate_section(role: str, settings: Settings) -> Any:
    """The settings of one role alone, as its stage's Config.

    Raises:
        ConfigError: as ``load_config``.
    """
    section = _with_kind(role, settings)
    fields: dict[str, Any] = {role: (stage_class(role, section["kind"]).Config, ...)}
    return getattr(_validated(create_model("Section", **fields), {role: section}), role)


class _SettingsError(ConfigError):
    """Wrong settings, wherever they come from."""


def _with_kind(role: str, section: Any) -> Settings:
    """The section with its kind in it, which is known."""
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise _SettingsError(f"{role}: expected a section of 'key: value' lines, got {section!r}")
    known = STAGES[role]
    kind = section.get("kind", default_kind(role))
    if str(kind) not in known:
        choices = f"{', '.join(known)}{did_you_mean(str(kind), known)}"
        raise _SettingsError(f"{role}.kind: {kind!r} is not one of {choices}")
    return {**section, "kind": kind}


def _validated(model: type[_Model], settings: Settings) -> _Model:
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise _SettingsError(first_problem(error, model)) from None


def config_model(kinds: Mapping[str, Iterable[str]], *, optional: Collection[str] = ()) -> type[PipelineConfig]:
    """``PipelineConfig`` with each role's section narrowed to the settings of these kinds, or null if ``optional``."""
    fields: dict[str, Any] = {}
    for role, names in kinds.items():
        configs = tuple(stage_class(role, kind).Config for kind in names)
        description = PipelineConfig.model_fields[role].description
        if role in optional:
            fields[role] = (Union[(*configs, None)], Field(default=None, description=description))
        else:
            fields[role] = (Union[configs], Field(description=description))  # noqa: UP007 - built at run time
    return create_model("PipelineConfig", __base__=PipelineConfig, **fields)
