"""Colours at another exposure: where a channel is white, luma grows by less than that of grey."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stages.alignment.crew import Crew
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.alignment.intensity import estimate_mapping
from stages.alignment.levels import Levels
from stages.alignment.lifting import Lifter, Reduced
from stages.alignment.matching import Matcher
from stages.alignment.substitute import replace_untrusted
from stages.color import planes_from_bgr
from stages.frame import BT709, ColorRange, ColorTags, ExposurePair, Frame, Planes

HEIGHT, WIDTH = 128, 192
STOPS = 3.0
COLORED = np.s_[: HEIGHT // 3], np.s_[-(HEIGHT // 3) :]
CREW = Crew()
FULL = ColorTags(matrix=1, range=ColorRange.FULL)


def radiance(*, colored: bool) -> npt.NDArray[np.float64]:
    """(H, W, 3) slopes of brightness; a third of the picture is red, a third blue, if it is coloured at all."""
    rng = np.random.default_rng(3)
    slope = np.exp2(np.linspace(-6, 0, WIDTH)[None, :] + 0.3 * rng.standard_normal((HEIGHT, WIDTH)))
    tint = np.ones((HEIGHT, 1, 3))
    if colored:
        tint[COLORED[0]], tint[COLORED[1]] = (0.05, 0.08, 1.0), (1.0, 0.3, 0.1)
    return slope[..., None] * tint


def exposed(light: npt.NDArray[np.float64], stops: float, color: ColorTags, bit_depth: int) -> Planes:
    encoded = np.clip(light * 2**stops / 2, 0, 1) ** (1 / 2.2)
    return planes_from_bgr(encoded.astype(np.float32), color, bit_depth=bit_depth)


def pair_of(light: npt.NDArray[np.float64], color: ColorTags = BT709, bit_depth: int = 8) -> ExposurePair:
    under, over = (exposed(light, stops, color, bit_depth) for stops in (0, STOPS))
    frames = [
        Frame(index, planes, pts=index, time_base=1 / 25, color=color) for index, planes in enumerate((over, under))
    ]
    return ExposurePair(frames[1], frames[0], reference_is_under=True, ratio_stops=STOPS)


def lifted(pair: ExposurePair) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Under's luma by the curve between lumas, and as it is lifted."""
    under, over = pair.reference.planes, pair.neighbour.planes
    curve = estimate_mapping(under.luma, over.luma, under.bit_depth).under_to_over
    reduced = [Reduced(planes.luma, planes.chroma) for planes in (under, over)]
    result = Lifter().lift(pair, *reduced, curve, (0.0, 0.0))
    return curve[under.luma].astype(np.int64), result.luma.astype(np.int64)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color", [BT709, FULL])
def test_colours_come_close_to_the_longer_exposure(color: ColorTags, bit_depth: int) -> None:
    pair = pair_of(radiance(colored=True), color, bit_depth=bit_depth)
    truth = pair.neighbour.planes.luma.astype(np.int64)
    unit = Levels.of(color, bit_depth).span / 219
    by_curve, result = (np.abs(each - truth) / unit for each in lifted(pair))
    assert np.percentile(by_curve, 95) > 12
    assert np.percentile(result, 95) < 6
    assert np.mean(result) < 0.5 * np.mean(by_curve)


def test_without_colours_it_is_the_curve() -> None:
    by_curve, result = lifted(pair_of(radiance(colored=False)))
    assert (by_curve == result).all()


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("color", [BT709, FULL])
def test_colours_stand_in_as_the_longer_exposure_shows_them(color: ColorTags, bit_depth: int) -> None:
    pair = pair_of(radiance(colored=True), color, bit_depth=bit_depth)
    under, over = pair.reference.planes, pair.neighbour.planes
    side, levels = Matcher(WIDTH, CREW).match(pair), Levels.of(color, bit_depth)
    untrusted = np.zeros((HEIGHT, WIDTH), np.float32)
    errors = []
    for excess in (None, side.excess):
        standin = Planes(np.zeros_like(over.luma), np.zeros_like(over.chroma), bit_depth)
        curve = side.mapping.under_to_over
        replace_untrusted(standin, under, untrusted, curve, None, levels, CREW, reference_is_under=True, excess=excess)
        # Grain is softened.
        difference = cv2.blur(standin.luma.astype(np.float32) - over.luma, (9, 9))
        errors.append([float(np.abs(difference[third][8:-8, 8:-8]).mean()) * 219 / levels.span for third in COLORED])
    for without, given in zip(*errors, strict=True):
        assert without > 1.8
        assert given < 0.6


@pytest.mark.parametrize("mode", ["causal", "lookahead"])
def test_coloured_things_that_stand_still_are_trusted(mode: str) -> None:
    light = radiance(colored=True)
    frames = [
        Frame(index, exposed(light, STOPS * (index % 2), BT709, 8), pts=index, time_base=1 / 25, color=BT709)
        for index in range(6)
    ]
    stage = FlowAlignment(FlowConfig(mode=mode, device="cpu"))
    pairs = [
        ExposurePair(here, before, reference_is_under=here.index % 2 == 0, ratio_stops=STOPS)
        for before, here in pairwise(frames)
    ]
    aligned = [item for pair in pairs for item in stage.process(pair)] + list(stage.flush())
    assert len(aligned) == 5
    assert min(float(item.confidence.mean()) for item in aligned) > 0.97
    stage.close()
