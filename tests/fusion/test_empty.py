"""Exposures that show nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.frame import BT709, ColorRange, ColorTags, PixelArray, Planes
from stages.fusion.codes import CodeValues
from stages.fusion.empty import shown, stand_in_for_empty
from stages.fusion.fuser import Fuser, Mode
from stages.fusion.models import list_models, load_model
from tests.fusion.pictures import codes, pair

CODES = CodeValues.of(BT709, 8)
BLACK, WHITE = 16, 235


def planes(luma: PixelArray) -> Planes:
    chroma = np.random.default_rng(1).integers(110, 146, (2, luma.shape[0] // 2, luma.shape[1] // 2))
    return Planes(luma.astype(np.uint8), chroma.astype(np.uint8))


def filled(like: Planes, value: int) -> Planes:
    return Planes(np.full_like(like.luma, value), np.full_like(like.chroma, 128))


@pytest.mark.parametrize("model", [model.name for model in list_models()])
@pytest.mark.parametrize("mode", ["full", "stream"])
def test_the_other_exposure_comes_back(model: str, mode: Mode) -> None:
    fuser = Fuser(load_model(model), mode, torch.device("cpu"))
    under, over = (planes(codes(luma)) for luma in pair(96, 128))
    for content, fused in (
        (over, fuser.fuse(filled(over, BLACK), over, BT709)),
        (under, fuser.fuse(under, filled(under, WHITE), BT709)),
    ):
        assert np.abs(fused.luma.astype(int) - content.luma).max() <= 1
        assert np.abs(fused.chroma.astype(int) - content.chroma).max() <= 1
    fuser.close()


def test_noise_before_a_covered_lens_shows_nothing() -> None:
    noise = np.random.default_rng(2).normal(BLACK, 2, (270, 480)).clip(0, 255).round().astype(np.uint8)
    assert shown(noise, CODES) == 0


def test_a_lamp_in_the_night_is_not_lost() -> None:
    night = np.full((270, 480), BLACK, np.uint8)
    night[100:116, 200:216] = 180
    under = planes(night)
    over = planes(np.full((270, 480), 100, np.uint8))
    kept, _ = stand_in_for_empty(under, over, CODES)
    assert kept is under


def test_an_exposure_goes_by_and_by() -> None:
    under, over = planes(np.full((800, 800), BLACK, np.uint8)), planes(np.full((800, 800), 120, np.uint8))
    under.luma[0, :24] = 100
    share = shown(under.luma, CODES)
    assert 0 < share < 1
    between, kept = stand_in_for_empty(under, over, CODES)
    assert kept is over
    assert between.luma[-1, -1] == round(120 + share * (BLACK - 120))


def test_two_empty_ones_stay_what_they_are() -> None:
    black, white = planes(np.full((64, 64), BLACK, np.uint8)), planes(np.full((64, 64), WHITE, np.uint8))
    assert stand_in_for_empty(black, white, CODES) == (black, white)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 9), (2, 2000)])
def test_any_size(size: tuple[int, int]) -> None:
    full = CodeValues.of(ColorTags(matrix=1, range=ColorRange.FULL), 8)
    assert shown(np.full(size, 255, np.uint8), full) == 0
    assert shown(np.full(size, 128, np.uint8), full) == 1
