"""The benchmark of alignment tells good from bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.motion.cases import CASES
from benchmarks.motion.figures import measure
from benchmarks.motion.film import Clip, film
from benchmarks.motion.methods import METHODS, bounds
from benchmarks.motion.strip import write_strip


@pytest.fixture(scope="module")
def map_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    grain = cv2.resize(rng.normal(0, 1.5, (64, 128, 3)).astype(np.float32), (512, 256), interpolation=cv2.INTER_CUBIC)
    written = tmp_path_factory.mktemp("map") / "map.hdr"
    cv2.imwrite(str(written), np.exp2(grain))
    return written


@pytest.fixture(scope="module")
def panning(map_file: Path) -> Clip:
    return film(replace(CASES["pan"], pan_deg_per_s=50), map_file, count=4, seed=3)


def test_frames_alternate_and_their_motion_is_known(panning: Clip) -> None:
    brightness = [frame.planes.luma.mean() for frame in panning.frames]
    assert min(brightness[1::2]) > max(brightness[::2])
    assert [panning.pair(index).neighbour.index for index in range(4)] == [1, 0, 1, 2]
    assert set(panning.flows) == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    flow = panning.flows[1, 2]
    assert np.nanmedian(flow.displacement[..., 0]) < -3


def test_the_bound_is_best_and_alignment_better_than_none(panning: Clip, tmp_path: Path) -> None:
    best = bounds(panning.truth)["lcndr"]
    rows = {"bound": best} | {name: METHODS[name].fuse(panning) for name in ("none + LCNDR", "lumabraid, causal")}
    bound, none, aligned = (measure(pictures, best, best, panning) for pictures in rows.values())
    assert bound.psnr_db == 99
    assert bound.ghost_percent == 0
    assert none.psnr_db < aligned.psnr_db < bound.psnr_db
    assert none.mef_ssim < aligned.mef_ssim <= bound.mef_ssim
    assert none.flicker > aligned.flicker
    write_strip(tmp_path / "strip.png", rows)
    assert np.asarray(cv2.imread(str(tmp_path / "strip.png"))).shape[1] == 4 * 320


def test_an_open_shutter_smears_the_over_frame_and_what_it_is_compared_with(map_file: Path, panning: Clip) -> None:
    assert panning.sharp is panning.truth
    smeared = film(replace(CASES["pan"], pan_deg_per_s=50, shutter_share=0.8), map_file, count=2, seed=3)
    for (under, over), (sharp_under, sharp_over) in zip(smeared.truth, smeared.sharp, strict=True):
        assert under is sharp_under
        assert over.luma.astype(float).std() < sharp_over.luma.astype(float).std()
