"""What runs on a GPU gives what the processor gives, part by part; on torch's CPU device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stages.alignment import exposure, grain, substitute
from stages.alignment.crew import Crew
from stages.alignment.cuda import exposure as device_exposure
from stages.alignment.cuda import grain as device_grain
from stages.alignment.cuda.continuation import Continuation
from stages.alignment.cuda.picture import Picture, Weights
from stages.alignment.cuda.substitute import chroma_gains, confined, lifted, lowered, replaced
from stages.alignment.cuda.substitute import plausible_codes as device_plausible_codes
from stages.alignment.cuda.warp import Displacements, Field, warped, warped_over
from stages.alignment.intensity import estimate_mapping
from stages.alignment.levels import Levels
from stages.alignment.plausible import plausible_codes
from stages.alignment.resampling import fit, resize
from stages.alignment.warp import lay_warped_over, warp_planes
from stages.device.planes import Layout
from stages.frame import BT709, ColorRange, ColorTags, Planes
from tests.alignment.scenes import Radiance, photograph, textured_radiance, window

CREW = Crew()
CANVAS = textured_radiance(400, 500, seed=4)
FULL_RANGE = ColorTags(matrix=1, range=ColorRange.FULL)

sizes = pytest.mark.parametrize(("height", "width"), [(3, 5), (64, 96), (121, 203)])
depths = pytest.mark.parametrize("bit_depth", [8, 10])


def scene(height: int, width: int, *, dx: float = 0.0) -> Radiance:
    return window(CANVAS, height, width, dx=dx, dy=0)


def on_device(planes: Planes) -> Picture:
    layout = Layout.like(planes)
    codes = torch.empty(layout.codes, dtype=layout.dtype)
    layout.fill(codes, planes)
    return Picture.of(codes, layout)


def smooth(height: int, width: int, *, deviation: float, seed: int = 0) -> npt.NDArray[np.float32]:
    coarse = np.random.default_rng(seed).normal(0, deviation, (4, 5)).astype(np.float32)
    return resize(coarse, max(4, height), max(5, width))[:height, :width].copy()


def sent(flow: npt.NDArray[np.float32]) -> Displacements:
    return Displacements(torch.from_numpy(np.rint(flow * 512).astype(np.int16)), 1 / 512)


def furthest(ours: Picture, theirs: Planes) -> float:
    """The largest difference, in code values; every picture holds whole ones."""
    luma, chroma = ours.luma.numpy(), ours.chroma.numpy()
    assert (luma == np.rint(luma)).all()
    assert (chroma == np.rint(chroma)).all()
    return float(max(np.abs(luma - theirs.luma).max(), np.abs(chroma - theirs.chroma).max()))


@sizes
@depths
@pytest.mark.parametrize("share", [1, 2])
def test_pictures_move_alike_up_to_the_border(height: int, width: int, bit_depth: int, share: int) -> None:
    frames = [photograph(scene(height, width, dx=dx), stops=1, bit_depth=bit_depth) for dx in (0, 9)]
    small = -(-height // share), -(-width // share)
    flow = np.stack([smooth(*small, deviation=9, seed=seed) for seed in (1, 2)], axis=-1)
    flow = np.rint(flow * 512).astype(np.float32) / 512
    theirs = warp_planes(frames, flow, CREW)
    layout = Layout.like(frames[0])
    field = Field.of(sent(flow), layout)
    ours = warped([on_device(planes) for planes in frames], field, frames[0].max_value)
    assert max(furthest(one, other) for one, other in zip(ours, theirs, strict=True)) <= 1


@sizes
@depths
@pytest.mark.parametrize("moves", [True, False])
def test_pictures_are_laid_over_alike(height: int, width: int, bit_depth: int, moves: bool) -> None:
    dark, bright = (photograph(scene(height, width), stops=stops, bit_depth=bit_depth) for stops in (0, 2))
    flow = np.full((height, width, 2), 1.3 * moves, np.float32)
    kept = np.clip(0.5 + smooth(height, width, deviation=0.5), 0, 1)
    layout = Layout.like(dark)
    weights = Weights.of(torch.from_numpy(kept * 255).round(), layout)
    field = Field.of(sent(flow), layout) if moves else None
    ours = warped_over(on_device(dark), on_device(bright), field, weights, dark.max_value)
    lay_warped_over(dark, bright, flow, kept, CREW)
    assert furthest(ours, dark) <= 1


@depths
@pytest.mark.parametrize("color", [BT709, FULL_RANGE], ids=["limited", "full"])
@pytest.mark.parametrize("stops", [-0.4, 0.02, 0.3])
def test_exposures_are_changed_alike(bit_depth: int, color: ColorTags, stops: float) -> None:
    planes = photograph(scene(64, 96), stops=2, noise=0.01, bit_depth=bit_depth, color=color)
    levels = Levels.of(color, bit_depth)
    theirs = exposure.exposed_by(planes, stops, levels, CREW)
    ours = device_exposure.exposed_by(on_device(planes), torch.tensor(stops), levels, planes.max_value)
    assert furthest(ours, theirs) == 0
    curve = np.sort(np.random.default_rng(0).integers(0, planes.max_value + 1, planes.max_value + 1))
    changed = device_exposure.curve_exposed_by(torch.from_numpy(curve).float(), torch.tensor(stops), levels)
    mapping = exposure.curve_exposed_by(curve.astype(planes.luma.dtype), stops, levels)
    assert np.array_equal(changed.numpy(), mapping)


@pytest.mark.parametrize("trusted", [0.0, 0.03, 0.9])
def test_differences_of_exposure_are_measured_alike(trusted: float) -> None:
    levels = Levels.of(BT709, 8)
    first, second = (photograph(scene(90, 160), stops=stops, noise=0.01).luma for stops in (2.0, 2.3))
    trust = (np.random.default_rng(1).uniform(size=first.shape) < trusted).astype(np.float32)
    theirs = exposure.difference_stops(second, first, trust, levels)
    wanted, given = torch.from_numpy(second).float(), torch.from_numpy(first).float()
    ours = device_exposure.difference_stops(wanted, given, torch.from_numpy(trust > 0.5), levels)
    # The processor holds ratios in single precision.
    assert float(ours) == pytest.approx(theirs, abs=1e-6)
    assert (theirs != 0) == (trusted > 0)
    for frames in (0, 3, 40):
        tremor = float(device_exposure.tremor_stops(ours, frames))
        assert tremor == pytest.approx(exposure.tremor_stops(theirs, frames), abs=1e-6)


@depths
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_noise_is_measured_and_taken_away_alike(bit_depth: int, noise: float) -> None:
    # Half of it black, so that levels of brightness are missing.
    radiance = scene(121, 203)
    radiance[:, 100:] *= 0.02
    frame, before = (photograph(radiance, stops=1, noise=noise, seed=seed, bit_depth=bit_depth) for seed in (1, 2))
    ours = device_grain.Grain.of(on_device(frame), frame.max_value + 1)
    for number, plane in enumerate((frame.luma, *frame.chroma)):
        theirs = grain.Grain.of(plane, bit_depth)
        assert ours.deviation[number].numpy() == pytest.approx(theirs.deviation, abs=1e-6)
        assert float(ours.mean[number]) == pytest.approx(theirs.mean, abs=1e-6)
    theirs = grain.Grain.of(frame.luma, bit_depth)
    still = np.clip(0.5 + smooth(60, 100, deviation=0.5), 0, 1)
    share = grain.memory_share(theirs.mean, still)
    own = device_grain.memory_share(ours.mean[0], torch.from_numpy(still))
    assert own.numpy() == pytest.approx(share, abs=1e-6)
    weights = Weights.of((own * 255).round(), Layout.like(frame))
    drawn = device_grain.steady(on_device(frame), on_device(before), weights, ours)
    assert furthest(drawn, grain.steady(frame, before, share, theirs, CREW)) <= 1


def test_without_enough_to_tell_there_is_no_noise() -> None:
    nothing = photograph(scene(3, 5), stops=1)
    ours = device_grain.Grain.of(on_device(nothing), 256)
    assert not ours.deviation.any()
    assert not ours.mean.any()


@sizes
@depths
@pytest.mark.parametrize("reference_is_under", [True, False])
@pytest.mark.parametrize("checks", [True, False])
def test_the_reference_stands_in_alike(
    height: int, width: int, bit_depth: int, reference_is_under: bool, checks: bool
) -> None:
    here, there = scene(height, width), scene(height, width, dx=9)
    for radiance in (here, there):
        radiance[height // 3 :, width // 2 :] = 5  # saturated in both
    under, over = (photograph(here, stops=stops, bit_depth=bit_depth) for stops in (0, 3))
    mapping = estimate_mapping(under.luma, over.luma, bit_depth)
    reference, stops, curve = (
        (under, 3, mapping.under_to_over) if reference_is_under else (over, 0, mapping.over_to_under)
    )
    neighbour = photograph(there, stops=stops, bit_depth=bit_depth)
    confidence = np.clip(0.6 + smooth(height, width, deviation=0.6, seed=3), 0, 1)
    confidence[: height // 3] = 0.2
    levels, layout, top = Levels.of(BT709, bit_depth), Layout.like(under), under.max_value
    moved, own, table = on_device(neighbour), on_device(reference), torch.from_numpy(curve.astype(np.float32))
    excess = None
    if reference_is_under:
        excess = smooth(height // 3, width // 3, deviation=40, seed=5)
        standin = lifted(own, table, torch.from_numpy(excess), levels, top)
    else:
        small = fit(confidence, substitute.FILL_SIZE_PX)
        low, high = (float(code) for code in substitute.saturating_codes(levels))
        told = Continuation(layout, *small.shape, torch.from_numpy)(
            own, (low, high), moved, torch.from_numpy(small), table, levels, top
        )
        standin = lowered(own, table, told, levels, top)
    kept = Weights.of(torch.from_numpy(confidence * 255).round(), layout)
    plausible = None
    if checks:
        deviation = np.linspace(0.3, 2, top + 1)
        plausible = plausible_codes(curve, deviation, levels)
        bounds = device_plausible_codes(table, torch.from_numpy(deviation), levels)
        assert np.array_equal(np.stack([codes.numpy() for codes in bounds]), plausible)
        moved = confined(moved, own, bounds, kept, levels, reference_is_under=reference_is_under)
    ours = replaced(moved, standin, kept)
    changed = Planes(neighbour.luma.copy(), neighbour.chroma.copy(), bit_depth)
    substitute.replace_untrusted(
        changed,
        reference,
        confidence,
        curve,
        plausible,
        levels,
        CREW,
        reference_is_under=reference_is_under,
        excess=excess,
    )
    assert furthest(ours, changed) <= 2
    assert (changed.luma != neighbour.luma).any()


def test_colour_is_amplified_alike() -> None:
    levels = Levels.of(BT709, 8)
    curve = np.sort(np.random.default_rng(2).integers(16, 236, 256)).astype(np.uint8)
    gains = chroma_gains(torch.from_numpy(curve).float(), levels).numpy()
    assert gains == pytest.approx(substitute.chroma_gains(curve, levels), abs=1e-6)
