"""The benchmark of attention compares two forms of the same thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.attention import apart, exact, naive, needed_gib, positions

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("size", "count"), [("960x540", 68 * 120), ("1920x1080", 135 * 240), ("3840x2160", 270 * 480)])
def test_positions_are_those_of_a_map_reduced_by_eight(size: str, count: int) -> None:
    assert positions(size) == count


def test_both_forms_say_the_same() -> None:
    query, key, value = torch.randn(3, 200, 32).double()
    assert torch.allclose(naive(query, key, value), exact(query, key, value))


def test_the_naive_form_needs_two_matrices() -> None:
    assert needed_gib(1 << 14) == 2.0


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_measured_apart_memory_is_what_the_formula_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    naive_form, exact_form = apart("naive", 3600), apart("exact", 3600)
    assert naive_form["peak_mib"] == pytest.approx(needed_gib(3600) * 1024, rel=0.2)
    assert exact_form["peak_mib"] < naive_form["peak_mib"] / 4
    assert max(naive_form["error"], exact_form["error"]) < 1e-4
