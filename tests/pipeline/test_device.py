"""Alignment follows fusion to its device, unless the settings say otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.assembly import beside_fusion
from stages.alignment.flow import FlowConfig
from stages.alignment.none import NoAlignmentConfig
from stages.fusion.stage import LcndrConfig, PassthroughConfig


@pytest.mark.parametrize(
    ("alignment", "fusion", "device"),
    [
        ("auto", LcndrConfig(device="cpu"), "cpu"),
        ("auto", LcndrConfig(device="cuda"), "cuda"),
        ("auto", LcndrConfig(), "auto"),
        ("auto", PassthroughConfig(), "cpu"),
        ("cpu", LcndrConfig(device="cuda"), "cpu"),
        ("cuda", LcndrConfig(device="cpu"), "cuda"),
    ],
)
def test_a_device_left_open_is_fusions(alignment: Any, fusion: Any, device: str) -> None:
    settings = FlowConfig(mode="lookahead", device=alignment)
    assert beside_fusion(settings, fusion) == FlowConfig(mode="lookahead", device=device)  # type: ignore[arg-type]


def test_what_has_no_device_stays_as_it_is() -> None:
    settings = NoAlignmentConfig()
    assert beside_fusion(settings, LcndrConfig(device="cuda")) is settings
