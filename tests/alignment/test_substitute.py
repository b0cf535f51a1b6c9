"""What stands in where a neighbour cannot be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.confidence import CHECKED
from stages.alignment.crew import Crew
from stages.alignment.grain import Grain
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.plausible import plausible_codes
from stages.alignment.substitute import chroma_gains, replace_untrusted
from stages.frame import BT709, Planes
from tests.alignment.scenes import photograph, psnr_db, textured_radiance, window

HEIGHT, WIDTH = 200, 320
CANVAS = textured_radiance(HEIGHT + 128, WIDTH + 128, seed=9)
CREW = Crew()


def test_colour_follows_the_brightness_and_fades_towards_white() -> None:
    levels = Levels.of(BT709, 8)
    codes = np.arange(256)
    twice = np.clip((codes - 16) * 2 + 16, 16, 235).astype(np.uint8)
    gains = chroma_gains(twice, levels)
    assert gains[60] == pytest.approx(2)
    assert gains[200] == 0
    assert 0 <= gains.min() <= gains.max() <= 4


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("reference_is_under", [True, False])
def test_the_reference_stands_in_at_the_other_exposure(reference_is_under: bool, bit_depth: int) -> None:
    scene = window(CANVAS, HEIGHT + 1, WIDTH + 1, dx=0, dy=0)
    under, over = (photograph(scene, stops=stops, bit_depth=bit_depth) for stops in (0, 2))
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    if reference_is_under:
        reference, truth, curve = under, over, mapping.under_to_over
    else:
        reference, truth, curve = over, under, mapping.over_to_under
    wrong = truth.luma[::-1].copy()
    neighbour = Planes(wrong.copy(), truth.chroma[::-1].copy(), bit_depth)
    trusted = np.zeros((HEIGHT + 1, WIDTH + 1), np.float32)
    trusted[:, WIDTH // 2 :] = 1
    levels = Levels.of(BT709, bit_depth)
    replace_untrusted(neighbour, reference, trusted, curve, None, levels, CREW, reference_is_under=reference_is_under)
    assert (neighbour.luma[:, WIDTH // 2 :] == wrong[:, WIDTH // 2 :]).all()
    replaced = np.s_[:, : WIDTH // 2]
    stand_in, wanted = (
        Planes(planes.luma[replaced], planes.chroma[:, :, : WIDTH // 4], bit_depth) for planes in (neighbour, truth)
    )
    assert psnr_db(stand_in, wanted) > 28
    exposed = over.luma[::2, : WIDTH // 2 : 2] < 0.75 * over.max_value
    error = np.abs(stand_in.chroma.astype(int) - wanted.chroma)[:, exposed]
    neutral = np.abs((truth.max_value + 1) // 2 - wanted.chroma.astype(int))[:, exposed]
    assert error.mean() < neutral.mean() / 2


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("reference_is_under", [True, False])
def test_a_thin_thing_beside_its_place_is_put_right(reference_is_under: bool, bit_depth: int) -> None:
    scene, slipped = (window(CANVAS, HEIGHT, WIDTH, dx=0, dy=0) for _ in range(2))
    scene[:, 40:280:12], slipped[:, 41:281:12] = 0.004, 0.004
    stops = (0, 3) if reference_is_under else (3, 0)
    reference, truth = (photograph(scene, stops=each, noise=0.002, bit_depth=bit_depth) for each in stops)
    wrong = photograph(slipped, stops=stops[1], noise=0.002, seed=1, bit_depth=bit_depth)
    under, over = (reference, truth) if reference_is_under else (truth, reference)
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    curve = mapping.under_to_over if reference_is_under else mapping.over_to_under
    trust, levels = np.full((HEIGHT, WIDTH), CHECKED, np.float32), Levels.of(BT709, bit_depth)
    trust[: HEIGHT // 2] = 1
    plausible = plausible_codes(curve, Grain.of(reference.luma, bit_depth).deviation, levels)
    neighbour = Planes(wrong.luma.copy(), wrong.chroma.copy(), bit_depth)
    replace_untrusted(
        neighbour, reference, trust, curve, plausible, levels, CREW, reference_is_under=reference_is_under
    )
    assert (neighbour.luma[: HEIGHT // 2] == wrong.luma[: HEIGHT // 2]).all()
    assert (neighbour.chroma == wrong.chroma).all()
    errors = [
        np.abs(planes.luma[HEIGHT // 2 :] - truth.luma[HEIGHT // 2 :].astype(float)).mean()
        for planes in (wrong, neighbour)
    ]
    assert errors[1] < 0.65 * errors[0]


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_noise_of_a_nearly_white_thing_is_not_multiplied(bit_depth: int) -> None:
    """Beside a lamp, white in both exposures, the curve rises from nearly white to white by half its range."""
    scene = np.full((HEIGHT, WIDTH, 3), 0.02, np.float32)
    scene[:, :120], scene[80:160, 200:280] = 4, 0.121
    under, over = (photograph(scene, stops=stops, noise=0.05, seed=1, bit_depth=bit_depth) for stops in (0, 3))
    curve = estimate_mapping(under.luma, over.luma, bit_depth).over_to_under
    thing, unit = np.s_[84:156, 204:276], 1 << (bit_depth - 8)
    assert lookup(over.luma, curve)[thing].std() > 20 * unit
    trust = np.ones((HEIGHT, WIDTH), np.float32)
    trust[60:180, 180:] = 0
    neighbour = Planes(under.luma.copy(), under.chroma.copy(), bit_depth)
    replace_untrusted(neighbour, over, trust, curve, None, Levels.of(BT709, bit_depth), CREW, reference_is_under=False)
    assert neighbour.luma[thing].std() < 8 * unit
    assert abs(neighbour.luma[thing].mean() - under.luma[thing].mean()) < 15 * unit
