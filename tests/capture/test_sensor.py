"""From radiance to code values."""

from __future__ import annotations

import numpy as np
import pytest

from stages.capture.sensor import MIDDLE_GREY, RESPONSES, ResponseCurve, Sensor, code_values, middle_exposure

RAMP = np.linspace(0, 1, 1001, dtype=np.float32)


@pytest.mark.parametrize("curve", RESPONSES.values(), ids=RESPONSES)
def test_response_curves_rise_from_black_to_white(curve):
    encoded = curve.encode(RAMP)

    assert encoded[0] == 0
    assert encoded[-1] == pytest.approx(1, abs=1e-6)
    assert (np.diff(encoded) > 0).all()


@pytest.mark.parametrize("curve", RESPONSES.values(), ids=RESPONSES)
def test_response_curves_can_be_undone(curve):
    np.testing.assert_allclose(curve.decode(curve.encode(RAMP)), RAMP, atol=1e-5)


def test_srgb_is_srgb():
    standard = np.where(RAMP <= 0.0031308, 12.92 * RAMP, 1.055 * RAMP ** (1 / 2.4) - 0.055)

    np.testing.assert_allclose(RESPONSES["srgb"].encode(RAMP), standard, atol=1e-3)


def test_bt709_is_bt709():
    standard = np.where(RAMP < 0.018, 4.5 * RAMP, 1.099 * RAMP**0.45 - 0.099)

    np.testing.assert_allclose(RESPONSES["bt709"].encode(RAMP), standard, atol=1e-3)


def test_the_s_curve_darkens_shadows_and_brightens_lights():
    plain, curved = RESPONSES["srgb"].encode(RAMP), RESPONSES["s_curve"].encode(RAMP)

    assert (curved <= plain + 1e-6)[plain < 0.5].all()
    assert (curved >= plain - 1e-6)[plain > 0.5].all()


@pytest.mark.parametrize("settings", [{"gamma": 1.0}, {"offset": -0.1}, {"offset": 2.0}, {"contrast": 1.0}])
def test_curves_that_cannot_be_undone_are_refused(settings):
    with pytest.raises(ValueError, match="got"):
        ResponseCurve(**settings)


def test_one_stop_doubles_the_signal():
    radiance = np.full((4, 4, 3), 0.2, np.float32)
    sensor = Sensor()

    once, twice = (sensor.response.decode(sensor.expose(radiance, exposure)) for exposure in (1.0, 2.0))

    np.testing.assert_allclose(twice, 2 * once, rtol=1e-3)


def test_gain_multiplies_the_signal():
    radiance = np.full((4, 4, 3), 0.1, np.float32)
    sensor = Sensor()

    np.testing.assert_allclose(sensor.expose(radiance, 1.0, gain=4), sensor.expose(radiance, 4.0), rtol=1e-5)


def test_a_full_pixel_is_white_however_bright_the_sun():
    sun = np.array([1.0, 10.0, 1e5, 1e30], np.float32)

    np.testing.assert_allclose(Sensor().expose(sun, 1.0), 1, atol=1e-6)


def test_noise_grows_with_the_square_root_of_light():
    sensor = Sensor(full_well_electrons=10000, read_noise_electrons=3, response=ResponseCurve(contrast=0))
    for level in (0.05, 0.5):
        picture = sensor.expose(np.full((200, 200), level, np.float32), 1.0, rng=np.random.default_rng(1))
        linear = sensor.response.decode(picture)

        assert linear.mean() == pytest.approx(level, rel=0.01)
        assert linear.std() == pytest.approx(np.sqrt(level * 10000 + 9) / 10000, rel=0.05)


def test_gain_brings_noise_with_it():
    sensor = Sensor()
    radiance = np.full((200, 200), 0.4, np.float32)

    long = sensor.expose(radiance, 1.0, rng=np.random.default_rng(1))
    short_with_gain = sensor.expose(radiance, 1 / 16, gain=16, rng=np.random.default_rng(1))

    assert short_with_gain.mean() == pytest.approx(long.mean(), rel=0.01)
    assert short_with_gain.std() > 3 * long.std()


def test_the_same_generator_gives_the_same_picture():
    radiance = np.full((16, 16, 3), 0.3, np.float32)

    first, second = (Sensor().expose(radiance, 1.0, rng=np.random.default_rng(5)) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_exposing_leaves_the_radiance_alone():
    radiance = np.full((16, 16, 3), 0.3, np.float32)

    Sensor().expose(radiance, 1.0, rng=np.random.default_rng(5))

    assert (radiance == np.float32(0.3)).all()


@pytest.mark.parametrize(
    ("bit_depth", "dtype", "top"), [(8, np.uint8, 255), (10, np.uint16, 1023), (16, np.uint16, 65535)]
)
def test_code_values_span_the_bit_depth(bit_depth, dtype, top):
    values = code_values(np.array([0.0, 0.5, 1.0], np.float32), bit_depth=bit_depth)

    assert values.dtype == dtype
    assert values.tolist() == [0, round(top / 2), top]


def test_the_middle_exposure_puts_an_even_scene_at_middle_grey():
    radiance = np.full((8, 8, 3), 7.0, np.float32)

    assert middle_exposure(radiance) * 7 == pytest.approx(MIDDLE_GREY, rel=1e-3)


def test_the_middle_exposure_lies_between_room_and_window_and_ignores_the_sun():
    radiance = np.full((100, 100, 3), 1.0, np.float32)
    radiance[:40] = 64.0
    before = middle_exposure(radiance)
    radiance[0, :100] = 1e5

    assert before * 8 == pytest.approx(MIDDLE_GREY, rel=1e-3)
    assert middle_exposure(radiance) == pytest.approx(before, rel=1e-3)


def test_impossible_sensors_are_refused():
    with pytest.raises(ValueError, match="full_well_electrons must be over 0, got 0"):
        Sensor(full_well_electrons=0)
    with pytest.raises(ValueError, match="read_noise_electrons must not be negative, got -1"):
        Sensor(read_noise_electrons=-1)
