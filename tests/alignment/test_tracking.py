"""What may be relied on from frame to frame: curves that are steady within a scene and new after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.alignment.intensity import IntensityMapping, estimate_mapping, lookup
from stages.alignment.tracking import MappingTracker
from stages.frame import ExposurePair, PixelArray, Planes
from tests.alignment.scenes import Radiance, pair_of, photograph, textured_radiance

STOPS = 3.0
SCENE = textured_radiance(120, 192, seed=3)
OTHER = textured_radiance(120, 192, seed=77)


def shot(radiance: Radiance, index: int, *, stops: float = 0.0, bit_depth: int = 8) -> Planes:
    """A frame of the clip: even ones are under."""
    return photograph(radiance, stops=STOPS * (index % 2) + stops, noise=0.004, seed=index, bit_depth=bit_depth)


def pairs_of(pictures: list[Planes], *, first: int = 0) -> list[ExposurePair]:
    """Each frame from the second on with the one before it."""
    return [
        pair_of(pictures[index], pictures[index - 1], reference_is_under=index % 2 == 0, index=first + index)
        for index in range(1, len(pictures))
    ]


def followed(pairs: list[ExposurePair]) -> list[IntensityMapping]:
    tracker = MappingTracker()
    return [tracker.follow(pair, *lumas(pair)) for pair in pairs]


def alone(pair: ExposurePair) -> IntensityMapping:
    return estimate_mapping(*lumas(pair), pair.reference.planes.bit_depth)


def lumas(pair: ExposurePair) -> tuple[PixelArray, PixelArray]:
    here, there = pair.reference.planes.luma, pair.neighbour.planes.luma
    return (here, there) if pair.reference_is_under else (there, here)


def with_something_large(radiance: Radiance, left: int) -> Radiance:
    """A dark thing as large as a person close by, in part outside the picture."""
    picture = radiance.copy()
    picture[20:, max(0, left) : max(0, left + 60)] = 0.02
    return picture


def same(one: IntensityMapping, other: IntensityMapping) -> bool:
    return np.array_equal(one.under_to_over, other.under_to_over) and np.array_equal(
        one.over_to_under, other.over_to_under
    )


def test_the_curves_do_not_jump_when_something_large_and_dark_comes_into_view() -> None:
    scenes = [with_something_large(SCENE, -120 + 12 * index) for index in range(18)]
    pairs = pairs_of([shot(scene, index) for index, scene in enumerate(scenes)])
    truth = alone(pair_of(shot(SCENE, 1), shot(SCENE, 0), reference_is_under=False))
    codes = np.unique(shot(SCENE, 0).luma)

    def jumps(mappings: list[IntensityMapping]) -> float:
        return float(np.abs(np.diff([m.under_to_over[codes].astype(float) for m in mappings], axis=0)).mean())

    def error(mappings: list[IntensityMapping]) -> float:
        wrong = [np.abs(m.under_to_over[codes].astype(float) - truth.under_to_over[codes]).mean() for m in mappings]
        return float(max(wrong))

    steady, by_themselves = followed(pairs), [alone(pair) for pair in pairs]
    assert jumps(steady) < 0.5 * jumps(by_themselves)
    assert error(steady) < error(by_themselves)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_curves_follow_an_exposure_that_trembles(bit_depth: int) -> None:
    tremor = np.random.default_rng(2).normal(0, 0.1, 10)
    pairs = pairs_of([shot(SCENE, index, stops=tremor[index], bit_depth=bit_depth) for index in range(10)])
    for pair, mapping in zip(pairs, followed(pairs), strict=True):
        under, over = lumas(pair)
        lifted = lookup(under, mapping.under_to_over).astype(float)
        assert np.abs(lifted - over).mean() < 1.1 * np.abs(lookup(under, alone(pair).under_to_over) - 1.0 * over).mean()
        assert mapping.under_to_over.dtype == under.dtype
        for curve in (mapping.under_to_over, mapping.over_to_under):
            assert (np.diff(curve.astype(int)) >= 0).all()


@pytest.mark.parametrize("what", ["cut", "gap", "size", "depth", "ratio", "exposure"])
def test_nothing_is_carried_to_what_does_not_follow(what: str) -> None:
    before = pairs_of([shot(SCENE, index) for index in range(6)])
    after = {
        "cut": lambda: pairs_of([shot(OTHER, 0), shot(OTHER, 1)], first=6),
        "gap": lambda: pairs_of([shot(SCENE, 0), shot(SCENE, 1)], first=9),
        "size": lambda: pairs_of([shot(SCENE[:100], 0), shot(SCENE[:100], 1)], first=5),
        "depth": lambda: pairs_of([shot(SCENE, index, bit_depth=10) for index in range(2)], first=5),
        "ratio": lambda: [replace(pairs_of([shot(SCENE, 0), shot(SCENE, 1)], first=5)[0], ratio_stops=4.0)],
        "exposure": lambda: pairs_of([shot(SCENE, 0), shot(SCENE, 1, stops=-1.0)], first=5),
    }[what]()
    assert not same(followed(before)[-1], alone(after[0])) or what in ("gap", "ratio")
    assert same(followed([*before, *after])[-1], alone(after[0]))


def test_a_cut_that_nobody_noticed_is_forgotten_with_the_pair_across_it() -> None:
    scenes = [SCENE] * 6 + [OTHER] * 4
    pairs = pairs_of([shot(0.2 * scene if scene is OTHER else scene, index) for index, scene in enumerate(scenes)])
    for pair, mapping in list(zip(pairs, followed(pairs), strict=True))[6:]:
        under, over = lumas(pair)
        assert np.abs(lookup(under, mapping.under_to_over).astype(float) - over).mean() < 4


def test_a_camera_that_was_covered_leaves_no_trace_in_the_curves() -> None:
    covered = np.full_like(SCENE, 1e-4)
    scenes = [SCENE] * 4 + [covered] * 4 + [SCENE] * 4
    pairs = pairs_of([shot(scene, index) for index, scene in enumerate(scenes)])
    fresh = [alone(pair) for pair in pairs]
    codes = np.unique(shot(SCENE, 0).luma)
    for mapping, own in zip(followed(pairs)[8:], fresh[8:], strict=True):
        assert np.abs(mapping.under_to_over[codes].astype(float) - own.under_to_over[codes]).mean() < 2
