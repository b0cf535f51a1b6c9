"""Both exposures at the time of one frame, from all that was seen of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.alignment.crew import Crew
from stages.alignment.exposure import Spots, curve_exposed_by, difference_stops, exposed_by, tremor_stops
from stages.alignment.grain import Grain, memory_share, steady
from stages.alignment.levels import Levels
from stages.alignment.plan import LEAST_SHARE, FloatMap, Plan, Recall, Side
from stages.alignment.plausible import plausible_codes
from stages.alignment.substitute import replace_untrusted
from stages.alignment.warp import Displacements, lay_warped_over, warp_planes, widen_flow
from stages.frame import ExposurePair, Planes


@dataclass(frozen=True, slots=True, eq=False)
class _Beginning:
    """What is known before the frame after is."""

    reference: Planes
    """Exposed as the frames before."""
    grain: Grain | None
    share: FloatMap | None
    """Of what is remembered; None where that is not worth a warp."""
    displacements: Displacements | None
    """Where the flow leads; None where nothing moves."""


class CpuAssembler:
    """Puts pictures together on the processor.

    Args:
        crew: does it.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._begun: tuple[Side, Recall | None, _Beginning] | None = None

    def begin(self, pair: ExposurePair, first: Side, recalled: Recall | None) -> None:
        """What takes noise from the reference, and where its neighbour lies, for the next plan."""
        self._begun = first, recalled, self._beginning(pair, first, recalled)

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        """The reference, and the other exposure on its pixel grid."""
        pair, first, spots, crew = plan.pair, plan.first, plan.spots, self._crew
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] is first and begun[1] is plan.recall:
            beginning = begun[2]
        else:
            beginning = self._beginning(pair, first, plan.recall)
        levels = Levels.of(pair.reference.color, pair.reference.planes.bit_depth)
        reference, grain = beginning.reference, beginning.grain
        source, at = first.planes if plan.recall is None else plan.recall.memory.reference, beginning.displacements
        if plan.recall is not None and grain is not None and beginning.share is not None:
            pictures = [source, plan.recall.memory.neighbour]
            moved, remembered = warp_planes(pictures, first.flow, crew, lent=1, displacements=at)
            reference = steady(reference, remembered, beginning.share, grain, crew)
        else:
            (moved,) = warp_planes([source], first.flow, crew, displacements=at)
        if plan.layers or plan.guesses:
            moved = _own(moved, plan)
        for layer in plan.layers:
            side = layer.side
            seen = spots.followed(side.planes.luma, side.flow)
            tremor = difference_stops(moved.luma[spots.full], seen, layer.agreed, levels)
            other = exposed_by(side.planes, tremor_stops(tremor, plan.frames_seen), levels, crew)
            lay_warped_over(moved, other, side.flow, layer.kept, crew)
        if plan.guesses:
            confidence, under = plan.confidence, pair.reference_is_under
            guess = plan.curve[reference.luma[spots.full]]
            miss = difference_stops(moved.luma[spots.full], guess, confidence[spots.small], levels)
            curve = curve_exposed_by(plan.curve, miss, levels)
            plausible = None
            if plan.checks:
                grain = grain or Grain.of(reference.luma, reference.bit_depth)
                plausible = plausible_codes(curve, grain.deviation, levels)
            replace_untrusted(
                moved,
                reference,
                confidence,
                curve,
                plausible,
                levels,
                crew,
                reference_is_under=under,
                excess=first.excess,
            )
        if plan.flooded is not None:
            reference = self._drained(plan, plan.flooded, reference, moved, levels)
        return reference, moved

    def _drained(self, plan: Plan, flooded: FloatMap, reference: Planes, under: Planes, levels: Levels) -> Planes:
        """An over picture in which the under picture, lifted, stands in for what light from elsewhere floods."""
        curve, spots = plan.first.mapping.under_to_over, plan.spots
        lifted, trust = curve[under.luma[spots.full]], plan.confidence[spots.small]
        curve = curve_exposed_by(curve, difference_stops(reference.luma[spots.full], lifted, trust, levels), levels)
        drained = Planes(reference.luma.copy(), reference.chroma.copy(), reference.bit_depth)
        kept = np.asarray(1 - flooded, np.float32)
        replace_untrusted(drained, under, kept, curve, None, levels, self._crew, reference_is_under=True)
        return drained

    def _beginning(self, pair: ExposurePair, first: Side, recalled: Recall | None) -> _Beginning:
        reference = pair.reference.planes
        displacements = widen_flow(first.flow, reference, self._crew) if first.flow.any() else None
        if recalled is None:
            return _Beginning(reference, None, None, displacements)
        memory, trust = recalled.memory, recalled.trust
        levels = Levels.of(pair.reference.color, reference.bit_depth)
        spots = Spots.over(reference, trust)
        before = spots.followed(memory.neighbour.luma, first.flow)
        tremor = difference_stops(before, reference.luma[spots.full], trust[spots.small], levels)
        reference = exposed_by(reference, tremor_stops(tremor, memory.frames), levels, self._crew)
        grain = Grain.of(reference.luma, reference.bit_depth)
        share = trust * memory_share(grain.mean, recalled.still)
        return _Beginning(reference, grain, share if share.mean() > LEAST_SHARE else None, displacements)


def _own(moved: Planes, plan: Plan) -> Planes:
    """A picture that may be written to: what nothing moved is still another's."""
    if moved is plan.first.planes or (plan.recall is not None and moved is plan.recall.memory.reference):
        return Planes(moved.luma.copy(), moved.chroma.copy(), moved.bit_depth)
    return moved
