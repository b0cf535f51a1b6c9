"""A longer exposure whose shutter is open while the camera pans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stages.alignment.crew import Crew
from stages.alignment.flood import flooded_map
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.intensity import estimate_mapping, lookup
from stages.alignment.levels import Levels
from stages.alignment.lifting import Lifted
from stages.alignment.motion import Motion
from stages.alignment.shutter import Exposures, Shutter
from stages.frame import BT709, AlignedPair, ExposurePair, Planes
from tests.alignment.clips import PAN_PX, STOPS, aligned_by, pairs_of, panned, panning_clip, panning_frame
from tests.alignment.scenes import eight_bit, frame, photograph, psnr_db

HEIGHT, WIDTH = 160, 256
BORDER_PX = 24
CREW = Crew()

modes = pytest.mark.parametrize("mode", ["causal", "lookahead"])
depths = pytest.mark.parametrize("bit_depth", [8, 10])


def watched(shutter: Shutter, *, open_share: float, step_px: float = PAN_PX, index: int = 1) -> Exposures:
    """Shows a shutter an over frame with the first frame as its neighbour; what of the two it needs."""
    under, over = (panning_frame(HEIGHT, WIDTH, each, open_share=open_share) for each in (0, index))
    mapping = estimate_mapping(under.luma, over.luma, 8)
    lifted = Lifted(lookup(under.luma, mapping.under_to_over), mapping.under_to_over, None, np.empty(0, np.float32))
    exposures = Exposures(under.luma, eight_bit(over.luma), lifted, Levels.of(BT709, 8))
    flow = np.full((HEIGHT, WIDTH, 2), (index * step_px, 0), np.float32)
    motion = Motion(flow, np.zeros((HEIGHT, WIDTH), np.float32), flow)
    pair = ExposurePair(frame(over, index=index), frame(under, index=0), reference_is_under=False, ratio_stops=STOPS)
    shutter.watch(pair, exposures, motion, is_smear_known=True)
    return exposures


def aligned(mode: Any, bit_depth: int) -> list[AlignedPair]:
    """Of a clip; those of over frames, without the first ones."""
    pairs = pairs_of(panning_clip(HEIGHT, WIDTH, 8, open_share=0.8, bit_depth=bit_depth))
    return aligned_by(FlowAlignment(FlowConfig(mode=mode, device="cpu")), pairs)[3::2]


def truth(item: AlignedPair, *, stops: float) -> Planes:
    """As a shutter that is open for an instant takes it."""
    return photograph(panned(HEIGHT, WIDTH, item.index), stops=stops, bit_depth=item.over.bit_depth)


@pytest.mark.parametrize(("index", "within"), [(1, 0.15), (3, 0.25)], ids=["next", "after two that were lost"])
@pytest.mark.parametrize("open_share", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_edges_tell_how_long_the_shutter_is_open(open_share: float, index: int, within: float) -> None:
    shutter = Shutter(CREW)
    watched(shutter, open_share=open_share, index=index)
    assert shutter.open_share == pytest.approx(open_share, abs=within)


def test_the_under_frame_is_smeared_as_the_over_frame_is() -> None:
    shutter = Shutter(CREW)
    exposures = watched(shutter, open_share=0.8)
    smeared = shutter.smeared(exposures)
    assert smeared is not None
    # Both on the under frame's grid.
    over = np.roll(exposures.over, int(PAN_PX), axis=1).astype(np.float64)
    inner = np.s_[:, BORDER_PX:-BORDER_PX]
    sharp_miss, smeared_miss = (np.abs(each - over)[inner].mean() for each in (exposures.lifted.luma, smeared))
    assert smeared_miss < 0.7 * sharp_miss


@pytest.mark.parametrize(("open_share", "step_px"), [(0.8, 0.0), (0.0, PAN_PX)])
def test_nothing_is_smeared_by_a_still_camera_or_a_short_shutter(open_share: float, step_px: float) -> None:
    shutter = Shutter(CREW)
    assert shutter.smeared(watched(shutter, open_share=open_share, step_px=step_px)) is None


@modes
@depths
def test_posts_before_windows_stay_although_the_over_frame_does_not_show_them(mode: str, bit_depth: int) -> None:
    for item in aligned(mode, bit_depth):
        # Compared as they are, the two frames make 15 dB of it.
        assert psnr_db(item.under, truth(item, stops=0), border=BORDER_PX) > 24


@modes
@depths
def test_windows_are_as_wide_in_the_over_frame_as_they_are(mode: str, bit_depth: int) -> None:
    for item in aligned(mode, bit_depth):
        sharp = truth(item, stops=STOPS)
        captured = psnr_db(item.pair.reference.planes, sharp, border=BORDER_PX)
        assert psnr_db(item.over, sharp, border=BORDER_PX) > captured + 2


def test_only_light_that_smear_explains_floods() -> None:
    over, sharp, smeared = (np.full((9, 30), 90, np.uint8) for _ in range(3))
    sharp[:, :5] = 230  # a window ...
    over[:, :10] = smeared[:, :10] = 230  # ... that is smeared
    over[:, 15:20] = 230  # a thing that only the over frame shows
    sharp[:, 25:] = smeared[:, 25:] = 230  # a thing that the over frame does not
    trust = np.ones((9, 30), np.float32)
    trust[0] = 0
    flooded = flooded_map(over, sharp, smeared, trust, reach_px=6, white=(np.float32(200), np.float32(220)))
    assert flooded[1:, 6:8].min() == pytest.approx(1)
    assert flooded[:, 12:].max() == 0
    assert flooded[0].max() == 0
