"""Under and over told apart while the light is switched and a controller moves both exposures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stages.frame import Exposure, ExposurePair


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


# Where the camera tells the exposure


@pytest.fixture
def told(film):
    """Films a script in which light, unlike exposures, is known to nobody; with every frame's exposure told."""

    def shoot(script, *, light, moved=lambda index: 0.0):
        frames = film(script, wobble=lambda index: light(index) + moved(index))
        return [
            dataclasses.replace(
                frame, exposure=Exposure(8000 * 2.0 ** (1.5 * (1 if letter == "O" else -1) + moved(index)))
            )
            for index, (frame, letter) in enumerate(zip(frames, script, strict=True))
        ]

    return shoot


@pytest.mark.parametrize("stops", [-20.0, -7.0, -5.0, 5.0, 7.0, 20.0])
@pytest.mark.parametrize("at", [20, 21])
def test_told_frames_are_paired_right_in_any_light_with_frames_lost(told, pair, stops, at):
    script = "UO" * 10 + "OUUOOOUOUUUUUOU" + "UO" * 5
    outputs = pair(told(script, light=lambda index: stops if at <= index < 30 else 0.0))
    assert wrong(outputs, script) == []


@pytest.mark.parametrize("speed", [-0.45, 0.45])
def test_told_exposures_that_move_are_told_apart_though_frames_are_lost(told, pair, speed):
    script = "UO" * 8 + "OUUOO" + "UO" * 8
    lost = np.cumsum([script[index] == script[index - 1] for index in range(len(script))])
    outputs = pair(told(script, light=lambda index: -6.0, moved=lambda index: speed * max(index + lost[index] - 12, 0)))
    assert wrong(outputs, script) == []
