"""What the first frames of a stream tell of one another's exposures."""

from __future__ import annotations

import numpy as np
import pytest

from stages.frame import ExposurePair
from stages.pairing.tremor import tremors_stops
from tests.pairing.conftest import Film, Pair


def shifts(exposures_stops: list[float]) -> list[float]:
    """From frame to frame."""
    return [float(step) for step in np.diff(exposures_stops)]


@pytest.mark.parametrize("first", [1, -1])
@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_regular_exposures_do_not_tremble_whatever_enters_the_picture(first: int, drift: float) -> None:
    exposures = [first * 1.5 * (-1) ** index + drift * index for index in range(6)]
    assert tremors_stops(shifts(exposures)) == pytest.approx(np.zeros(6), abs=1e-6)


@pytest.mark.parametrize("off", range(6))
@pytest.mark.parametrize("by_stops", [-0.4, 0.4])
def test_a_frame_that_is_off_is_found_and_the_others_are_left(off: int, by_stops: float) -> None:
    exposures = [3.0 * (index % 2) for index in range(6)]
    exposures[off] += by_stops
    found = tremors_stops(shifts(exposures))
    assert int(np.abs(found).argmax()) == off
    # As good as six frames can tell what is usual.
    assert 0.3 < found[off] / by_stops < 1
    assert np.abs(np.delete(found, off)).max() < abs(by_stops) / 3


def test_pairing_notes_it_down_in_the_frames_it_held(film: Film, pair: Pair) -> None:
    frames = film("UOUOUOUO")
    dim = film("UOUOUOUO", brightness=-0.4)[1]
    pairs = [item for item in pair([frames[0], dim, *frames[2:]]) if isinstance(item, ExposurePair)]
    tremors = {each.reference.index: each.reference.tremor_stops for each in pairs}
    assert -0.4 < tremors[1] < -0.12
    assert all(abs(tremors[index]) < 0.14 for index in (0, 2, 3, 4, 5))
    assert tremors[6] == tremors[7] == 0
    # Both pairs that it is in see the same.
    assert pairs[0].neighbour.tremor_stops == pairs[2].neighbour.tremor_stops == tremors[1]


def test_a_dropped_frame_on_trial_leaves_nothing_noted(film: Film, pair: Pair) -> None:
    pairs = [item for item in pair(film("UOUUOUOU")) if isinstance(item, ExposurePair)]
    assert pairs
    assert all(each.reference.tremor_stops == 0 for each in pairs)
