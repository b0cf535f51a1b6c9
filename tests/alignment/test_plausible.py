"""What a pixel that is not fully trusted may be, beside what the reference shows."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.confidence import CHECKED
from stages.alignment.crew import Crew
from stages.alignment.grain import Grain
from stages.alignment.intensity import estimate_mapping
from stages.alignment.levels import Levels
from stages.alignment.plausible import plausible_codes
from stages.alignment.substitute import replace_untrusted
from stages.frame import BT709, Planes
from tests.alignment.scenes import photograph, textured_radiance

HEIGHT, WIDTH = 200, 320
CREW = Crew()


@pytest.mark.parametrize("reference_is_under", [True, False])
def test_a_colour_may_be_darker_in_the_longer_exposure_than_grey_of_its_luma(reference_is_under: bool) -> None:
    shape, levels = (32, 64), Levels.of(BT709, 8)
    curve = np.clip(np.arange(256) * (2 if reference_is_under else 0.5), 0, 235).astype(np.uint8)
    chroma = np.full((2, 16, 32), 128, np.uint8)
    chroma[1, :, 16:] = 180  # the right half is red
    reference = Planes(np.full(shape, 80, np.uint8), chroma)
    plausible = plausible_codes(curve, np.full(256, 0.5), levels)
    trust = np.full(shape, CHECKED, np.float32)

    def held(luma: int) -> tuple[int, int]:
        """Of grey and of red, where so bright a neighbour is nearly trusted."""
        neighbour = Planes(np.full(shape, luma, np.uint8), chroma.copy())
        replace_untrusted(
            neighbour, reference, trust, curve, plausible, levels, CREW, reference_is_under=reference_is_under
        )
        return int(neighbour.luma[16, 8]), int(neighbour.luma[16, 56])

    low, high = (int(bound[80]) for bound in plausible)
    assert held(low - 20) == (low, low - 20 if reference_is_under else low)
    assert held(high + 20) == (high, high if reference_is_under else high + 20)


def test_noise_alone_is_plausible() -> None:
    scene = textured_radiance(HEIGHT, WIDTH, seed=9)
    under, over = (photograph(scene, stops=stops, noise=0.02, seed=seed) for seed, stops in enumerate((0, 2)))
    curve, levels = estimate_mapping(under.luma, over.luma, 8).under_to_over, Levels.of(BT709, 8)
    lowest, highest = plausible_codes(curve, Grain.of(under.luma, 8).deviation, levels)
    fits = (over.luma >= lowest[under.luma]) & (over.luma <= highest[under.luma])
    assert fits.mean() > 0.9
