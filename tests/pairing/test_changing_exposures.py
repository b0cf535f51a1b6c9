"""Under and over told apart while the light is switched and a controller moves both exposures."""

from __future__ import annotations

import numpy as np
import pytest

from stages.frame import ExposurePair


def roles(outputs):
    return "".join("U" if output.reference_is_under else "O" for output in outputs if isinstance(output, ExposurePair))


def wrong(outputs, script):
    """Indices of frames without a partner, with a partner of the same exposure, or taken for the other one."""
    return [
        output.index
        for output in outputs
        if not isinstance(output, ExposurePair)
        or script[output.neighbour.index] == script[output.index]
        or output.reference_is_under != (script[output.index] == "U")
    ]


@pytest.mark.parametrize(("at", "stops"), [(20, -4.0), (20, -2.0), (21, 2.0), (21, 4.0)])
def test_light_that_goes_off_as_under_is_due_or_on_as_over_is_swaps_no_roles(film, pair, stops, at):
    script = "UO" * 20
    outputs = pair(film(script, wobble=lambda index: stops if index >= at else 0.0))
    assert wrong(outputs, script) == []


@pytest.mark.parametrize("stops", [-5.0, -3.5, -2.0, 2.0, 3.0, 3.5, 5.0, 6.0])
@pytest.mark.parametrize("at", [20, 21])
def test_light_switched_at_any_other_time_is_put_right_within_two_pairs(film, pair, stops, at):
    script = "UO" * 20
    outputs = pair(film(script, wobble=lambda index: stops if index >= at else 0.0))
    assert set(wrong(outputs, script)) <= {at, at + 1}


@pytest.mark.parametrize("speed", [-0.6, 0.6])
def test_exposures_that_move_by_a_fifth_of_the_ratio_in_each_frame_stay_apart(film, pair, speed):
    script = "UO" * 20
    outputs = pair(film(script, wobble=lambda index: speed * min(max(index - 15, 0), 8)))
    assert wrong(outputs, script) == []


def test_a_frame_lost_as_the_light_is_switched_is_put_right_within_two_pairs(film, pair):
    script = "UO" * 10 + "OU" * 10
    outputs = pair(film(script, wobble=lambda index: 4.0 if index >= 20 else 0.0))
    assert set(wrong(outputs, script)) <= {20, 21}


def test_flicker_and_lost_frames_together(film, pair):
    rng = np.random.default_rng(2)
    script = "".join(letter for letter in "UO" * 150 if rng.random() > 0.05)
    outputs = pair(film(script, stops=2.0, wobble=lambda index: 0.25 * np.sin(2.1 * index)))
    assert wrong(outputs, script) == []
    assert roles(outputs) == script
