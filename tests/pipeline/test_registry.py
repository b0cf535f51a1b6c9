"""Stages are imported when they are asked for, and the rest of the program does not notice."""

from __future__ import annotations

import dataclasses
import gc
import sys

import pytest

from pipeline.registry import STAGES, default_kind, stage_class


@pytest.mark.parametrize(("role", "kind"), [(role, kind) for role, kinds in STAGES.items() for kind in kinds])
def test_every_stage_is_where_the_registry_says_and_its_settings_name_its_kind(role: str, kind: str) -> None:
    settings = {field.name: field.default for field in dataclasses.fields(stage_class(role, kind).Config)}
    assert settings["kind"] == kind


def test_garbage_is_collected_again_after_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stages.encoding.none")
    stage_class("encoding", "none")
    assert gc.isenabled()

    monkeypatch.setitem(STAGES["encoding"], "missing", "stages.encoding.missing:Missing")
    with pytest.raises(ModuleNotFoundError):
        stage_class("encoding", "missing")
    assert gc.isenabled()


def test_the_first_kind_of_a_role_is_its_default() -> None:
    assert default_kind("capture") == "file"
