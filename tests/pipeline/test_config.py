"""Configurations: presets, files, overrides, and what a person is told about a mistake."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import PipelineConfig, load_config
from pipeline.config_file import parse_settings, preset_names
from pipeline.config_text import json_schema, to_yaml
from pipeline.registry import OPTIONAL_ROLES, STAGES, default_kind, stage_class
from stages.errors import ConfigError

MINIMAL = "capture: {input: clip.mp4}\nencoding: {output: fused.mp4}\n"


@pytest.fixture
def minimal(tmp_path: Path) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    return str(file)


def problem(name_or_path: str, *overrides: str) -> str:
    """The one line a user sees."""
    with pytest.raises(ConfigError) as caught:
        load_config(name_or_path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_needs_only_what_has_no_default(minimal: str) -> None:
    config = load_config(minimal)
    assert config.capture.kind == "file"
    assert (config.pairing.kind, config.alignment.kind, config.fusion.kind) == ("brightness", "flow", "lcndr")
    assert config.encoding.kind == "video"
    assert (config.channels.policy, config.report) == ("block", None)


def test_each_section_is_the_settings_class_of_its_stage(minimal: str) -> None:
    config = load_config(minimal)
    for role in set(STAGES) - {*OPTIONAL_ROLES}:
        section = getattr(config, role)
        assert isinstance(section, stage_class(role, section.kind).Config)


def test_nothing_is_published_unless_there_is_a_section_for_it(minimal: str) -> None:
    assert load_config(minimal).publishing is None
    assert load_config(minimal, ["publishing={}"]).publishing.address == "tcp://127.0.0.1:5555"
    assert load_config(minimal, ["publishing.address=ipc:///tmp/fused"]).publishing.kind == "zeromq"
    assert load_config(minimal, ["publishing={}", "publishing=null"]).publishing is None


def test_a_change_to_publishing_publishes_nothing(minimal: str) -> None:
    said = "there is no publishing to change; ask for it with --publish ADDRESS or --set publishing.kind=zeromq"
    assert problem(minimal, "publishing.crf=30") == f"--set publishing.crf: {said}"
    assert problem(minimal, "publishing=null", "publishing.crf=30") == f"--set publishing.crf: {said}"
    assert problem(minimal, "publishing.keys.x=address") == f"--set publishing.keys.x: {said}"


@pytest.mark.parametrize(
    "overrides",
    [
        ("publishing={}", "publishing.crf=30"),
        ("publishing.kind=zeromq", "publishing.crf=30"),
        ("publishing.crf=30", "publishing.kind=zeromq"),
        ("publishing.crf=30", "publishing.address=ipc:///tmp/fused"),
    ],
)
def test_publishing_can_be_asked_for_and_changed_in_any_order(minimal: str, overrides: tuple[str, ...]) -> None:
    assert load_config(minimal, overrides).publishing.crf == 30


def test_publishing_that_is_there_can_be_changed() -> None:
    assert load_config("surveillance", ["publishing.crf=30"]).publishing.crf == 30


def test_what_is_published_needs_no_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("capture: {input: clip.mp4}\n", encoding="utf-8")
    assert problem(str(file)).endswith("encoding.output: required, but not set")
    config = load_config(str(file), ["publishing={}"])
    assert config.encoding.kind == "none"
    shown = tmp_path / "shown.yaml"
    shown.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(str(shown)).model_dump() == config.model_dump()


def test_every_stage_in_the_registry_can_be_loaded_and_names_its_kind() -> None:
    for role, kinds in STAGES.items():
        for kind in kinds:
            defaults = {field.name: field.default for field in dataclasses.fields(stage_class(role, kind).Config)}
            assert defaults["kind"] == kind


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid_and_survive_being_shown(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    shown = tmp_path / "shown.yaml"
    shown.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(str(shown)).model_dump() == config.model_dump()


def test_shown_settings_are_complete_and_described() -> None:
    shown = to_yaml(load_config("offline"))
    assert "# What a full channel does: block = the faster stage waits" in shown
    assert "One of: block, drop_oldest, latest." in shown
    assert "\n  policy: block\n" in shown
    assert "\nreport: null\n" in shown


def test_overrides_are_read_as_yaml(minimal: str) -> None:
    config = load_config(minimal, ["channels.capacity=9", "report=out.json", "fusion={mode: full}"])
    assert config.channels.capacity == 9
    assert config.report == Path("out.json")
    assert config.fusion.mode == "full"


def test_overriding_the_kind_starts_the_section_anew(minimal: str) -> None:
    overrides = ["capture.map=room.hdr", "capture.kind=simulated", "capture.seconds=1"]
    capture = load_config(minimal, overrides).capture
    assert (capture.kind, capture.map, capture.seconds) == ("simulated", "room.hdr", 1)


def test_overriding_with_the_same_kind_keeps_the_section(minimal: str) -> None:
    assert str(load_config(minimal, ["capture.kind=file"]).capture.input) == "clip.mp4"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("capture.inptu=x", "capture.inptu: unknown setting; did you mean 'input'?"),
        ("chanels.capacity=1", "chanels: unknown setting; did you mean 'channels'?"),
        ("channels.zzz=1", "channels.zzz: unknown setting; known here: capacity, policy"),
        (
            "capture.kind=fiel",
            "capture.kind: 'fiel' is not one of file, pictures, camera, stream, simulated; did you mean 'file'?",
        ),
        ("channels.policy=blok", "channels.policy: 'blok' is not one of block, drop_oldest, latest; did you mean"),
        ("channels.capacity=many", "channels.capacity: "),
        ("channels.capacity=0", "channels.capacity: should be greater than or equal to 1, got 0"),
        ("fusion.mode=fast", "fusion.mode: 'fast' is not one of full, stream"),
        ("capture=clip.mp4", "capture: expected a section of 'key: value' lines, got 'clip.mp4'"),
        ("capture.kind=[file]", "capture.kind: ['file'] is not one of"),
        ("publishing={adress: x}", "publishing.adress: unknown setting; did you mean 'address'?"),
        ("publishing.address=tcp://*:5555", "publishing.address 'tcp://*:5555' can be reached from other machines: "),
        (
            "publishing={encodings: [jpg]}",
            "publishing.encodings.0: 'jpg' is not one of yuv420p, yuv420p10le, bgr8, jpeg",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(minimal: str, override: str, said: str) -> None:
    assert problem(minimal, override).startswith(f"{minimal}: {said}")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("channels", "--set channels: expected KEY=VALUE"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("capture.input.deep=3", "--set capture.input.deep: capture.input is 'clip.mp4', not a section"),
        ("channels.capacity=[1", "--set channels.capacity: not valid YAML"),
    ],
)
def test_a_malformed_override_is_quoted(minimal: str, override: str, said: str) -> None:
    assert said in problem(minimal, override)


def test_what_a_stage_says_of_its_settings_gets_the_key_path(minimal: str) -> None:
    said = problem(minimal, "capture={kind: simulated, map: room.hdr, stops: -1}")
    assert said.startswith(f"{minimal}: capture.stops must ")
    assert said.endswith("got -1.0")


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("capture: {kind: file}\nencoding: {output: fused.mp4}\n", encoding="utf-8")
    assert problem(str(file)).endswith("capture.input: required, but not set")


def test_the_misspelt_key_is_told_before_the_one_it_leaves_missing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("capture: {inptu: clip.mp4}\nencoding: {output: fused.mp4}\n", encoding="utf-8")
    assert problem(str(file)).endswith("capture.inptu: unknown setting; did you mean 'input'? (1 more problem)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channels: {capacity: 1}\nchannels: {capacity: 2}\n", "line 2: not valid YAML: key 'channels' is given twice"),
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("- just\n- a list\n", "expected 'key: value' lines, found a list"),
        ("words", "expected 'key: value' lines, found 'words'"),
        ("[a]: b", "not valid YAML: found unhashable key"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_what_is_not_settings_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^mine\.yaml: ") as caught:
        parse_settings(text, "mine.yaml")
    assert said in str(caught.value)


def test_a_name_that_is_neither_file_nor_preset() -> None:
    assert "neither a file nor a preset" in problem("offlin")
    assert problem("offlin").endswith("did you mean 'offline'?")


def test_a_folder_or_a_binary_file_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"\xff\xfe\x00")
    assert "not a text file" in problem(str(tmp_path / "video.mp4"))
    assert "cannot be read" in problem(str(tmp_path))


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        here = {node["$ref"]} if "$ref" in node else set()
        return here.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


def test_the_schema_describes_every_kind_of_every_role() -> None:
    schema = json_schema()
    assert schema["$schema"].endswith("draft/2020-12/schema")
    definitions = schema["$defs"]
    assert references(schema) <= {f"#/$defs/{name}" for name in definitions}
    kinds = {
        node["properties"]["kind"]["const"] for node in definitions.values() if "kind" in node.get("properties", {})
    }
    assert kinds == {kind for known in STAGES.values() for kind in known}
    assert schema["required"] == ["capture"]
    assert schema["anyOf"] == [{"required": [role]} for role in ("encoding", "publishing", "preview", "window")]
    assert {"type": "null"} in schema["properties"]["publishing"]["anyOf"]
    assert set(PipelineConfig.model_fields) == set(schema["properties"])


def test_every_setting_in_the_schema_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, node in json_schema()["$defs"].items()
        for key, setting in node.get("properties", {}).items()
        if key != "kind" and not setting.get("description")
    ]
    assert undescribed == []


def test_the_first_kind_of_a_role_is_its_default() -> None:
    kinds = [default_kind(role) for role in STAGES]
    assert kinds == ["file", "brightness", "flow", "lcndr", "zeromq", "browser", "desktop", "video"]
