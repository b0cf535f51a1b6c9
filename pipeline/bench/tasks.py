"""What is timed of lumabraid: fusion alone, alignment and fusion, and the whole of ``lumabraid video``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.assembly import assemble
from pipeline.bench.film import Film
from pipeline.bench.timing import Contender
from pipeline.config import validate
from pipeline.config_file import read_settings
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.none import NoAlignment, NoAlignmentConfig
from stages.device.choice import DeviceName
from stages.errors import LumabraidError
from stages.frame import AlignedPair
from stages.fusion.mode import Mode
from stages.fusion.stage import LcndrConfig, LcndrFusion

TASKS: Final = ("fuse", "align + fuse, causal", "align + fuse, lookahead", "whole job")
"""By name, in the order they are measured."""

_PAIRS: Final = 4


@dataclass(frozen=True, slots=True)
class Variant:
    """A network as it is run."""

    model: str
    mode: Mode
    device: DeviceName


@contextmanager
def fusing(film: Film, variant: Variant, *, frames: int) -> Iterator[Contender]:
    """Fusion of pairs that lie ready, so many a run."""
    unaligned = NoAlignment(NoAlignmentConfig())
    pairs = [_aligned(pair) for index in range(1, _PAIRS + 1) for pair in unaligned.process(film.pair(index))]
    waiting = itertools.cycle(pairs)
    with _fusion(film, variant) as fusion:

        def run() -> int:
            for pair in itertools.islice(waiting, frames):
                for _ in fusion.process(pair):
                    pass
            return frames

        yield Contender(run)


@contextmanager
def aligning_and_fusing(
    film: Film, variant: Variant, mode: Literal["causal", "lookahead"], *, frames: int
) -> Iterator[Contender]:
    """Alignment and then fusion of one frame after the other, so many a run."""
    indices = itertools.count(1)
    alignment = FlowAlignment(FlowConfig(mode=mode, device=variant.device))
    with closing(alignment), _fusion(film, variant) as fusion:
        alignment.open(film.info)

        def run() -> int:
            for index in itertools.islice(indices, frames):
                for aligned in alignment.process(film.pair(index)):
                    for _ in fusion.process(_aligned(aligned)):
                        pass
            return frames

        # One more than a run: looking ahead, the first frame gives nothing yet.
        yield Contender(run, warm_up=lambda: (run(), run()))


def run_job(clip: Path, output: Path, variant: Variant) -> int:
    """What ``lumabraid video`` does, in this process; returns the number of frames fused.

    Raises:
        LumabraidError: not every frame was fused.
    """
    settings = read_settings("offline")
    settings["capture"] = {"kind": "file", "input": str(clip)}
    settings["fusion"] |= {"model": variant.model, "mode": variant.mode, "device": variant.device}
    settings["encoding"] = {"kind": "video", "output": str(output)}
    account = assemble(validate(settings)).runner.run().account
    if account.fused != account.captured:
        raise LumabraidError(f"only {account.fused} of {account.captured} frames were fused; please report it")
    return account.fused


@contextmanager
def _fusion(film: Film, variant: Variant) -> Iterator[LcndrFusion]:
    with closing(LcndrFusion(LcndrConfig(model=variant.model, mode=variant.mode, device=variant.device))) as fusion:
        fusion.open(film.info)
        yield fusion


def _aligned(item: Any) -> AlignedPair:
    """Alignment drops none of these pairs."""
    assert isinstance(item, AlignedPair)
    return item
