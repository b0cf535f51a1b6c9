"""First frames whose exposure is known to be off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.alignment.crew import Crew
from stages.alignment.evening import Evener
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.frame import AlignedPair, ExposurePair, Frame
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing
from tests.alignment.scenes import frame, pair_of, photograph, textured_radiance

SCENE = textured_radiance(120, 192, seed=3)


def clip(*, off_stops: float) -> list[Frame]:
    """A scene that stands still; the first over frame is exposed by so much more than the others."""
    stops = [3.0 * (index % 2) for index in range(8)]
    stops[1] += off_stops
    return [frame(photograph(SCENE, stops=stop), index=index) for index, stop in enumerate(stops)]


def aligned(frames: list[Frame], config: FlowConfig) -> list[AlignedPair]:
    pairing, alignment = BrightnessPairing(BrightnessConfig()), FlowAlignment(config)
    pairs = [item for each in frames for item in pairing.process(each) if isinstance(item, ExposurePair)]
    items = [item for pair in pairs for item in alignment.process(pair)] + list(alignment.flush())
    alignment.close()
    return [item for item in items if isinstance(item, AlignedPair)]


@pytest.mark.parametrize(
    "config", [FlowConfig(mode="causal"), FlowConfig(mode="lookahead")], ids=lambda each: each.mode
)
@pytest.mark.parametrize("off_stops", [-0.4, 0.4])
def test_a_first_frame_that_is_off_is_nearer_to_the_rest(off_stops: float, config: FlowConfig) -> None:
    truth = photograph(SCENE, stops=3.0).luma.astype(np.float64)
    raw = photograph(SCENE, stops=3.0 + off_stops).luma.astype(np.float64)
    shown = aligned(clip(off_stops=off_stops), config)
    for item in shown[:2]:
        assert np.abs(item.over.luma - truth).mean() < 0.85 * np.abs(raw - truth).mean()


def test_frames_that_are_not_off_stay_the_same_objects() -> None:
    pair = pair_of(*(photograph(SCENE, stops=stops) for stops in (0.0, 3.0)), reference_is_under=True)
    assert Evener(Crew()).even(pair) is pair


def test_a_frame_is_evened_out_once() -> None:
    evener, (first, second, third) = Evener(Crew()), clip(off_stops=0.3)[:3]
    second = replace(second, tremor_stops=0.2)
    before = evener.even(ExposurePair(second, first, reference_is_under=False, ratio_stops=3))
    after = evener.even(ExposurePair(third, second, reference_is_under=True, ratio_stops=3))
    assert before.reference is after.neighbour
    assert before.reference.planes.luma.mean() < second.planes.luma.mean() - 3
    assert before.neighbour is first
