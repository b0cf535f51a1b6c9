"""Operations joined by torch's compiler: the same pictures, and none lost where the compiler fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from stages.device.joining import Joiner
from stages.device.standin import StandInQueue
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.network import DeviceNetwork
from stages.fusion.lcndr import LCNDR, Widths

WIDTHS = Widths(shallow=8, middle=8, deep=8, attention=8, revision=4, refinement_steps=2)


def said(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """What was logged from a level on, but for torch's own."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and record.name.startswith("stages.")
    ]


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiler up to where it would make code."""
    return torch.compile(function, fullgraph=True, dynamic=True, backend="eager")


def test_a_network_can_be_joined_and_gives_the_same(caplog: pytest.LogCaptureFixture) -> None:
    network = LCNDR(WIDTHS).eval().requires_grad_(False)
    plain, joined = (DeviceNetwork(network, "stream", torch.float32) for _ in range(2))
    joined.join(Joiner(traced).join)
    with torch.inference_mode():
        # The second finds everything compiled for any size that halves alike.
        for size in ((64, 80), (96, 48)):
            lumas = torch.rand(1, 2, *size)
            assert torch.allclose(joined(lumas), plain(lumas), atol=1e-6)
    assert said(caplog) == []


def test_the_first_call_says_what_it_waits_for_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    joiner = Joiner(lambda function: function)
    double, triple = joiner.join(lambda value: 2 * value), joiner.join(lambda value: 3 * value)
    assert (double(2), double(3), triple(2)) == (4, 6, 6)
    assert said(caplog, logging.INFO) == ["compiling for this GPU: up to some minutes, kept for the next start"]


@pytest.mark.parametrize("when", ["at once", "when called"])
def test_where_the_compiler_fails_every_function_goes_on_as_it_is(when: str, caplog: pytest.LogCaptureFixture) -> None:
    tried: list[object] = []

    def fail(*_: object) -> Any:
        raise RuntimeError("no C compiler found\nset CC")

    def compiler(function: Callable[..., Any]) -> Callable[..., Any]:
        tried.append(function)
        return fail() if when == "at once" else fail

    joiner = Joiner(compiler)
    double, triple = joiner.join(lambda value: 2 * value), joiner.join(lambda value: 3 * value)
    assert (double(2), double(3), triple(2)) == (4, 6, 6)
    assert len(tried) == 1
    assert said(caplog) == ["fusion launches its operations one by one: torch's compiler failed: no C compiler found"]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), torch.AcceleratorError("gone")])
def test_what_the_device_says_is_no_failure_of_the_compiler(error: RuntimeError) -> None:
    def fail(*_: object) -> Any:
        raise error

    double = Joiner(lambda _: fail).join(lambda value: 2 * value)
    with pytest.raises(type(error)):
        double(2)


@pytest.mark.parametrize(("wanted", "joined"), [(False, 0), (True, 5)])
def test_a_fuser_joins_on_demand(wanted: bool, joined: int) -> None:
    queue = StandInQueue()
    network = LCNDR(WIDTHS).eval().requires_grad_(False)
    CudaFuser(network, "stream", queue, precision="half", join_kernels=wanted)
    assert queue.made["join"] == joined
