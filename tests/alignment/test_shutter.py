"""A longer exposure whose shutter is open while the camera pans."""

from __future__ import annotations

import numpy as np
import pytest

from stages.alignment.crew import Crew
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.lifting import Lifted
from stages.alignment.motion import Motion
from stages.alignment.shutter import Exposures, Shutter
from stages.frame import BT709, AlignedPair, ExposurePair, Planes
from tests.alignment.scenes import Radiance, eight_bit, frame, pair_of, photograph, psnr_db, textured_radiance, window

HEIGHT, WIDTH = 160, 256
STEP_PX = 9.0
STOPS = 4.0
CREW = Crew()
CANVAS = textured_radiance(HEIGHT + 64, WIDTH + 256, seed=4)
for left in range(40, CANVAS.shape[1], 70):
    CANVAS[60:150, left : left + 24] = 3  # A window ...
    CANVAS[60:150, left + 10 : left + 15] = 0.01  # ... and a post before it.


def taken(index: int, *, open_share: float, bit_depth: int = 8) -> Planes:
    """A frame of a pan, even ones under and sharp, odd ones with the shutter open for a share of the interval."""
    if index % 2 == 0:
        return photograph(seen(index), stops=0, noise=0.005, seed=index, bit_depth=bit_depth)
    passed = ((np.arange(15) + 0.5) / 15 - 0.5) * open_share
    smeared: Radiance = np.mean([seen(index + float(each)) for each in passed], axis=0, dtype=np.float32)
    return photograph(smeared, stops=STOPS, noise=0.005, seed=index, bit_depth=bit_depth)


def seen(instant: float) -> Radiance:
    return window(CANVAS, HEIGHT, WIDTH, dx=STEP_PX * instant - 20, dy=0)


def watched(shutter: Shutter, *, open_share: float, step_px: float = STEP_PX) -> Exposures:
    """Shows a shutter the second frame with the first one as its neighbour; what of the two it needs."""
    under, over = (taken(index, open_share=open_share) for index in (0, 1))
    mapping = estimate_mapping(under.luma, over.luma, 8)
    lifted = Lifted(lookup(under.luma, mapping.under_to_over), mapping.under_to_over, None, np.empty(0, np.float32))
    exposures = Exposures(under.luma, eight_bit(over.luma), lifted, Levels.of(BT709, 8))
    flow = np.full((HEIGHT, WIDTH, 2), (step_px, 0), np.float32)
    motion = Motion(flow, np.zeros((HEIGHT, WIDTH), np.float32), flow)
    pair = pair_of(over, under, reference_is_under=False)
    shutter.watch(pair, exposures, motion, is_smear_known=True)
    return exposures


@pytest.mark.parametrize("open_share", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_edges_tell_how_long_the_shutter_is_open(open_share: float) -> None:
    shutter = Shutter(CREW)
    watched(shutter, open_share=open_share)
    assert shutter.open_share == pytest.approx(open_share, abs=0.15)


def test_the_under_frame_is_smeared_as_the_over_frame_is() -> None:
    shutter = Shutter(CREW)
    exposures = watched(shutter, open_share=0.8)
    smeared = shutter.smeared(exposures)
    assert smeared is not None
    # Both on the under frame's grid.
    over = np.roll(exposures.over, int(STEP_PX), axis=1).astype(np.float64)
    inner = np.s_[:, 24:-24]
    sharp_miss, smeared_miss = (np.abs(each - over)[inner].mean() for each in (exposures.lifted.luma, smeared))
    assert smeared_miss < 0.7 * sharp_miss


@pytest.mark.parametrize(("open_share", "step_px"), [(0.8, 0.0), (0.0, STEP_PX)])
def test_nothing_is_smeared_by_a_still_camera_or_a_short_shutter(open_share: float, step_px: float) -> None:
    shutter = Shutter(CREW)
    assert shutter.smeared(watched(shutter, open_share=open_share, step_px=step_px)) is None


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("mode", ["causal", "lookahead"])
def test_posts_before_windows_stay_although_the_over_frame_does_not_show_them(mode: str, bit_depth: int) -> None:
    pictures = [taken(index, open_share=0.8, bit_depth=bit_depth) for index in range(8)]
    stage = FlowAlignment(FlowConfig(mode="causal" if mode == "causal" else "lookahead"))
    items = []
    for index in range(8):
        there = index - 1 if index else 1
        here, beside = (frame(pictures[each], index=each) for each in (index, there))
        items += stage.process(ExposurePair(here, beside, reference_is_under=index % 2 == 0, ratio_stops=STOPS))
    items += stage.flush()
    stage.close()
    for item in items[3::2]:
        assert isinstance(item, AlignedPair)
        truth = photograph(seen(item.index), stops=0, bit_depth=bit_depth)
        assert psnr_db(item.under, truth, border=24) > 24
