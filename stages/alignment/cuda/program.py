"""From captured frames and small maps to both exposures at the time of one frame: ``CpuAssembler`` on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.alignment.cuda.continuation import Continuation
from stages.alignment.cuda.exposure import curve_exposed_by, difference_stops, exposed_by, tremor_stops
from stages.alignment.cuda.grain import Grain, memory_share, steady
from stages.alignment.cuda.picture import Picture, Weights, lookup
from stages.alignment.cuda.substitute import confined, lifted, lowered, plausible_codes, replaced
from stages.alignment.cuda.warp import Displacements, Field, stillness, warped, warped_over
from stages.alignment.levels import Levels
from stages.alignment.plan import LEAST_SHARE
from stages.alignment.substitute import saturating_codes
from stages.device.planes import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Spots of the reference as another picture shows them."""

    places: Tensor
    """(rows, columns) int32 in the other picture's luma, counted along its rows."""
    alike: Tensor
    """(rows, columns) bool, whether both show the same."""

    def on(self, picture: Picture) -> Tensor:
        """Luma there."""
        return picture.luma.flatten().index_select(0, self.places.flatten()).view(self.places.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """The frame before, and how it fits."""

    reference: Tensor
    """Code values of a picture, as in the next."""
    neighbour: Tensor
    trust: Tensor
    """(h, w) uint8, 255 = it shows the same."""
    spots: Followed
    """In its neighbour, which has the exposure of this frame's reference."""


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A frame laid over what is there of the other exposure."""

    codes: Tensor
    flow: Displacements | None
    """None where nothing moves."""
    kept: Tensor
    """(h, w) uint8 of what is there, 255 = all."""
    spots: Followed


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """Where the reference stands in."""

    kept: Tensor
    """(h, w) uint8, 255 = the neighbour is fully trusted."""
    curve: Tensor
    """For each luma code value of the reference that of the neighbour."""
    excess: Tensor | None
    """(any height, any width) code values that colours add to that."""
    alike: Tensor
    """(rows, columns) bool at the spots, whether the neighbour shows the same."""
    continuation: Continuation | None
    """For a reference that is over."""
    confidence: Tensor | None
    """(h, w) as small as the continuation takes it."""
    checks: bool
    """Whether luma that is not fully trusted is held to what the reference shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Flood:
    """Where the under picture stands in for a reference that is over."""

    kept: Tensor
    """(h, w) uint8 of the reference, 255 = all."""
    curve: Tensor
    """For each luma code value of the under picture that of the over picture."""
    alike: Tensor
    """(rows, columns) bool at the spots, whether both show the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Cargo:
    """All that one frame needs, on the device."""

    layout: Layout
    levels: Levels
    reference: Tensor
    """Code values as captured."""
    neighbour: Tensor | None
    """The same of the other exposure; None where a frame is recalled."""
    flow: Displacements | None
    """To the neighbour; None where nothing moves."""
    recalled: Recalled | None
    layers: tuple[Laid, ...]
    guess: Guess | None
    flood: Flood | None
    frames_seen: int
    spot_step: int


def develop(cargo: Cargo) -> tuple[Picture, Picture]:
    """The reference, and the other exposure on its pixel grid."""
    layout, levels = cargo.layout, cargo.levels
    top = (1 << layout.bit_depth) - 1
    field = Field.of(cargo.flow, layout) if cargo.flow is not None else None
    reference = Picture.of(cargo.reference, layout)
    grain = None
    if cargo.recalled is not None:
        reference, moved, grain = _steadied(cargo, cargo.recalled, reference, field, top)
    else:
        assert cargo.neighbour is not None
        (moved,) = warped([Picture.of(cargo.neighbour, layout)], field, top)
    for layer in cargo.layers:
        other = Picture.of(layer.codes, layout)
        stops = difference_stops(_spots(moved, cargo), layer.spots.on(other), layer.spots.alike, levels)
        other = exposed_by(other, tremor_stops(stops, cargo.frames_seen), levels, top)
        way = Field.of(layer.flow, layout) if layer.flow is not None else None
        moved = warped_over(moved, other, way, Weights.of(layer.kept, layout), top)
    if cargo.guess is not None:
        moved = _completed(cargo, cargo.guess, reference, moved, grain, top)
    if cargo.flood is not None:
        reference = _drained(cargo, cargo.flood, reference, moved, top)
    return reference, moved


def _steadied(
    cargo: Cargo, recalled: Recalled, reference: Picture, field: Field | None, top: int
) -> tuple[Picture, Picture, Grain]:
    """The reference with less noise and tremor, what is remembered of the other exposure, and the noise there was."""
    layout, levels = cargo.layout, cargo.levels
    before = Picture.of(recalled.neighbour, layout)
    stops = difference_stops(recalled.spots.on(before), _spots(reference, cargo), recalled.spots.alike, levels)
    reference = exposed_by(reference, tremor_stops(stops, cargo.frames_seen), levels, top)
    grain = Grain.of(reference, top + 1)
    trust = recalled.trust.float() / 255
    still = stillness(cargo.flow, layout.width) if cargo.flow is not None else torch.ones_like(trust)
    share = trust * memory_share(grain.mean[0], still)
    # Less is not worth what a warp takes.
    share = share * (share.mean() > LEAST_SHARE)
    moved, remembered = warped([Picture.of(recalled.reference, layout), before], field, top)
    weights = Weights.of((share * 255).round_(), layout)
    return steady(reference, remembered, weights, grain), moved, grain


def _completed(
    cargo: Cargo, guess: Guess, reference: Picture, moved: Picture, grain: Grain | None, top: int
) -> Picture:
    """The other exposure with the reference standing in for what is not trusted."""
    levels = cargo.levels
    guessed = lookup(_spots(reference, cargo), guess.curve)
    miss = difference_stops(_spots(moved, cargo), guessed, guess.alike, levels)
    curve = curve_exposed_by(guess.curve, miss, levels)
    if guess.continuation is None or guess.confidence is None:
        standin = lifted(reference, curve, guess.excess, levels, top)
    else:
        low, high = (float(code) for code in saturating_codes(levels))
        around = guess.continuation(reference, (low, high), moved, guess.confidence, curve, levels, top)
        standin = lowered(reference, curve, around, levels, top)
    kept = Weights.of(guess.kept, cargo.layout)
    if guess.checks:
        grain = grain or Grain.of(reference, top + 1)
        plausible = plausible_codes(curve, grain.deviation[0], levels)
        moved = confined(moved, reference, plausible, kept, levels, reference_is_under=guess.continuation is None)
    return replaced(moved, standin, kept)


def _drained(cargo: Cargo, flood: Flood, reference: Picture, under: Picture, top: int) -> Picture:
    """An over picture in which the under picture, lifted, stands in for what light from elsewhere floods."""
    levels, seen = cargo.levels, lookup(_spots(under, cargo), flood.curve)
    stops = difference_stops(_spots(reference, cargo), seen, flood.alike, levels)
    standin = lifted(under, curve_exposed_by(flood.curve, stops, levels), None, levels, top)
    return replaced(reference, standin, Weights.of(flood.kept, cargo.layout))


def _spots(picture: Picture, cargo: Cargo) -> Tensor:
    """Luma at places spread over the picture."""
    step = cargo.spot_step
    return picture.luma[step // 2 :: step, step // 2 :: step]
