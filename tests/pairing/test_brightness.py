from __future__ import annotations

import weakref

import numpy as np
import pytest

from stages.errors import PairingError
from stages.frame import ColorRange, ColorTags, ExposurePair
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing
from stages.stage import Dropped


def neighbours(outputs):
    return [output.neighbour.index if isinstance(output, ExposurePair) else None for output in outputs]


def exposures(outputs):
    return "".join("U" if output.reference_is_under else "O" for output in outputs)


def test_a_frame_is_paired_with_the_one_before_it_and_the_first_with_the_second(film, pair):
    frames = film("UOUOUOUO")
    outputs = pair(frames)
    assert neighbours(outputs) == [1, 0, 1, 2, 3, 4, 5, 6]
    assert exposures(outputs) == "UOUOUOUO"
    assert all(output.reference.planes is frames[output.index].planes for output in outputs)


@pytest.mark.parametrize("stops", [1.5, 2.0, 3.0, 4.5, 6.0])
def test_the_ratio_is_found(film, pair, stops):
    outputs = pair(film("OUOUOUOUOUOU", stops=stops))
    assert exposures(outputs) == "OUOUOUOUOUOU"
    assert [output.ratio_stops for output in outputs] == pytest.approx([stops] * 12, abs=0.2)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color_range", [ColorRange.LIMITED, ColorRange.FULL])
def test_bit_depth_and_range_are_honoured(film, pair, bit_depth, color_range):
    outputs = pair(film("UOUOUOUO", bit_depth=bit_depth, color=ColorTags(range=color_range)))
    assert exposures(outputs) == "UOUOUOUO"
    assert [output.ratio_stops for output in outputs] == pytest.approx([3.0] * 8, abs=0.15)


@pytest.mark.parametrize("script", ["UO", "OU", "UOU", "UOUO", "UOUOU"])
def test_a_short_clip_is_enough(film, pair, script):
    assert exposures(pair(film(script))) == script


def test_an_empty_stream_gives_nothing(pair):
    assert pair([]) == []


def test_a_new_scene_at_every_frame_leaves_nothing_to_pair(film, pair):
    with pytest.raises(PairingError, match=r"clip\.mp4: no two frames of both exposures, 4 frames apart at most"):
        pair(film("|".join("UOUOUOUOUOUO")))


def test_a_dropped_frame_makes_the_next_one_nearer(film, pair):
    outputs = pair(film("UOUOUOUOOUOUO"))
    assert exposures(outputs) == "UOUOUOUOOUOUO"
    assert neighbours(outputs)[6:] == [5, 6, 9, 8, 9, 10, 11]


@pytest.mark.parametrize("at", range(1, 9))
def test_a_dropped_frame_anywhere(film, pair, at):
    script = "UOUOUOUOUOUO"
    script = script[:at] + script[at + 1 :]
    assert exposures(pair(film(script))) == script


def test_of_two_equally_near_neighbours_the_past_one_is_taken(film, pair):
    outputs = pair(film("UOUOUOUOUUUOUO"))
    assert neighbours(outputs)[7:12] == [6, 7, 7, 11, 10]


def test_a_doubled_frame_is_paired_with_what_follows(film, pair):
    frames = film("UOUOUOUOUOUO")
    doubled = film("UOUOUOUUOUOUO")
    object.__setattr__(doubled[7], "planes", doubled[6].planes)
    outputs = pair(doubled)
    assert neighbours(outputs)[6:9] == [5, 8, 7]
    assert len(outputs) == len(frames) + 1


@pytest.mark.parametrize("at", range(1, 12))
def test_no_pair_crosses_a_cut(film, pair, at):
    script = "UOUOUOUOUOUO"
    outputs = pair(film(script[:at] + "|" + script[at:]))
    for output in outputs:
        if isinstance(output, Dropped):
            assert output.index in (0, 11)
            assert at in (1, 11)
        else:
            assert (output.index < at) == (output.neighbour.index < at)
    if at not in (1, 11):
        assert exposures(outputs) == script
        assert neighbours(outputs)[at] == at + 1


def test_a_cut_may_change_whose_turn_it_is(film, pair):
    outputs = pair(film("UOUOUOUO|OUOUOUO"))
    assert exposures(outputs) == "UOUOUOUOOUOUOUO"
    assert neighbours(outputs)[7:11] == [6, 9, 8, 9]


def test_a_scene_of_one_frame_is_dropped_and_said_so(film, pair):
    outputs = pair(film("UOUOUOUO|U|OUOUOU"))
    assert isinstance(outputs[8], Dropped)
    assert "other exposure" in outputs[8].reason
    assert neighbours(outputs)[7:] == [6, None, 10, 9, 10, 11, 12, 13]


def test_slow_drift_and_wobble_do_not_matter(film, pair):
    script = "UO" * 30
    outputs = pair(film(script, wobble=lambda index: 2 * np.sin(index / 10) + 0.2 * np.sin(7.0 * index)))
    assert exposures(outputs) == script
    assert neighbours(outputs) == [1, *range(59)]


def test_the_ratio_follows_a_drifting_exposure(film, pair):
    script = "UO" * 40
    outputs = pair(film(script, stops=2.0, wobble=lambda index: index / 80 if index % 2 else 0.0))
    assert exposures(outputs) == script
    assert outputs[0].ratio_stops == pytest.approx(2.0, abs=0.2)
    assert outputs[-1].ratio_stops == pytest.approx(3.0, abs=0.25)


@pytest.mark.parametrize("black_frames", [0, 12, 25])
def test_a_fade_to_black_and_back(film, pair, black_frames):
    script = "UO" * 50
    half, slope = black_frames / 2, 0.7
    outputs = pair(film(script, wobble=lambda index: -max(0.0, min(12.0, 12 + slope * (half - abs(index - 50))))))
    assert all(isinstance(output, ExposurePair) for output in outputs)
    assert exposures(outputs[:36] + outputs[-30:]) == script[:36] + script[-30:]


def test_a_covered_lens(film, pair):
    outputs = pair(film("UOUOUOUOKKKKKKKUOUOUO"))
    assert neighbours(outputs) == [1, 0, 1, 2, 3, 4, 5, 6, 9, 8, 9, 10, 11, 12, 13, 16, 15, 16, 17, 18, 19]
    assert exposures(outputs[15:]) == "UOUOUO"


@pytest.mark.parametrize("pan", [2, 8, 12])
def test_a_moving_camera(film, pair, pan):
    script = "UO" * 15
    outputs = pair(film(script, pan=pan))
    assert exposures(outputs) == script
    assert neighbours(outputs) == [1, *range(29)]


@pytest.mark.parametrize("brightness", [-6, -4, 4, 6])
def test_nearly_all_black_or_white_in_one_exposure(film, pair, brightness):
    script = "OU" * 8
    assert exposures(pair(film(script, brightness=brightness))) == script


@pytest.mark.parametrize("brightness", [-2, 0, 2])
def test_a_flat_grey_scene(film, pair, brightness):
    assert exposures(pair(film("UOUOUOOUOU", flat=True, brightness=brightness))) == "UOUOUOOUOU"


def test_a_noisy_scene(film, pair):
    assert exposures(pair(film("UOUOUOOUOU", noise=0.2))) == "UOUOUOOUOU"


def test_metadata_tells_at_once_and_exactly(film, pair):
    frames = film("OUOOUOU", stops=1.0, flat=True, noise=0.1, metadata=True)
    stage = BrightnessPairing(BrightnessConfig())
    assert [output.index for frame in frames[:3] for output in stage.process(frame)] == [0, 1, 2]
    outputs = pair(frames)
    assert exposures(outputs) == "OUOOUOU"
    assert [output.ratio_stops for output in outputs] == pytest.approx([1.0] * 7)


def test_metadata_that_never_changes_is_not_believed(film, pair):
    frames = film("UOUOUOUO", metadata=True)
    for frame in frames:
        object.__setattr__(frame, "exposure", frames[0].exposure)
    assert exposures(pair(frames)) == "UOUOUOUO"


def test_once_started_a_frame_waits_for_nothing(film):
    stage = BrightnessPairing(BrightnessConfig())
    given = [[output.index for output in stage.process(frame)] for frame in film("UOUOUOUOU")]
    assert given == [[], [], [], [], [], [0, 1, 2, 3, 4, 5], [6], [7], [8]]


def test_a_camera_that_settles_first(film, pair):
    outputs = pair(film("M" * 20 + "UOUOUOUOUO"))
    assert {output.reason for output in outputs[:15]} == {
        "came before the exposures began to alternate",
        "no frame of the other exposure within 4 frames of its scene",
    }
    assert exposures(outputs[21:]) == "OUOUOUOUO"


def test_where_alternation_stops_frames_without_a_near_partner_are_dropped(film, pair):
    outputs = pair(film("UOUOUOUO" + "O" * 20 + "UOUOUO"))
    assert neighbours(outputs)[7:12] == [6, 6, 6, 6, None]
    assert set(neighbours(outputs)[11:24]) == {None}
    assert neighbours(outputs)[24:30] == [28, 28, 28, 28, 27, 28]


def test_a_neighbour_may_be_allowed_farther_away(film, pair):
    outputs = pair(film("UOUOUOUO" + "O" * 6 + "UOUO"), BrightnessConfig(max_distance=1))
    assert neighbours(outputs)[7:14] == [6, None, None, None, None, None, 14]


@pytest.mark.parametrize("frames", [1, 2, 3, 10, 60])
def test_constant_exposure_is_refused(film, pair, frames):
    with pytest.raises(PairingError) as refusal:
        pair(film("M" * frames))
    message = str(refusal.value)
    assert message.startswith("clip.mp4: ")
    assert "\n" not in message
    assert ("a single frame" if frames == 1 else "differs by only 0.0 stops between consecutive frames") in message


@pytest.mark.parametrize("script", ["UMO" * 4, "OMU" * 20, "MUO" * 3])
def test_three_exposures_are_refused(film, pair, script):
    with pytest.raises(PairingError, match=r"three exposures in rotation, about -2\.\d / \+0\.0 / \+2\.\d stops"):
        pair(film(script, stops=4.0))


def test_random_exposures_are_refused(film, pair):
    rng = np.random.default_rng(5)
    levels = rng.uniform(-3, 3, 60)
    with pytest.raises(PairingError, match="without alternating"):
        pair(film("M" * 60, wobble=lambda index: levels[index]))


@pytest.mark.parametrize("script", ["UUO" * 15, "UUOO" * 10])
def test_two_exposures_out_of_turn_are_refused(film, pair, script):
    with pytest.raises(PairingError, match=r"jumps between -3\.\d and \+3\.\d stops .* without alternating"):
        pair(film(script))


def test_few_frames_are_kept(film):
    stage = BrightnessPairing(BrightnessConfig())
    frames = iter(film("UO" * 30 + "|" + "OU" * 10 + "O" * 10))
    alive = []
    for frame in frames:
        list(stage.process(frame))
        alive.append(weakref.ref(frame.planes.luma))
    del frame, frames
    assert sum(picture() is not None for picture in alive) <= 7


def test_a_black_clip_is_refused(film, pair):
    with pytest.raises(PairingError, match="all black or all white"):
        pair(film("K" * 60))


@pytest.mark.parametrize("setting", [{"min_ratio_stops": 0.0}, {"max_distance": 0}, {"settle_frames": 1}])
def test_bad_settings_are_refused_with_the_value_seen(setting):
    with pytest.raises(ValueError, match=str(next(iter(setting.values())))):
        BrightnessConfig(**setting)


def test_a_sweep_of_ratios_with_dropped_frames_and_hand_shake_is_paired_right(film, pair):
    right = total = 0
    for seed, stops in enumerate(np.linspace(1.5, 6.0, 10)):
        rng = np.random.default_rng(seed)
        script = "".join(letter for letter in ("UO" * 20, "OU" * 20)[seed % 2] if rng.random() > 0.05)
        drift = rng.normal(0, 0.05, len(script))
        outputs = pair(film(script, stops=stops, seed=seed, pan=1.5, wobble=drift.__getitem__))
        for index, output in enumerate(outputs):
            others = [other for other in range(len(script)) if script[other] != script[index]]
            nearest = min(others, key=lambda other: (abs(other - index), other))
            right += neighbours([output]) == [nearest] and exposures([output]) == script[index]
            total += 1
    assert right == total
