"""Both exposures at the time of one frame, from all that was seen of them."""

from __future__ import annotations

from stages.alignment.crew import Crew
from stages.alignment.exposure import curve_exposed_by, difference_stops, exposed_by, tremor_stops
from stages.alignment.grain import Grain, memory_share, steady
from stages.alignment.levels import Levels
from stages.alignment.plan import LEAST_SHARE, Plan
from stages.alignment.plausible import plausible_codes
from stages.alignment.substitute import replace_untrusted
from stages.alignment.warp import lay_warped_over, warp_planes
from stages.frame import Planes


class CpuAssembler:
    """Puts pictures together on the processor.

    Args:
        crew: does it.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def assemble(self, plan: Plan) -> tuple[Planes, Planes]:
        """The reference, and the other exposure on its pixel grid."""
        pair, first, spots, crew = plan.pair, plan.first, plan.spots, self._crew
        reference = pair.reference.planes
        levels = Levels.of(pair.reference.color, reference.bit_depth)
        grain = None
        if plan.recall is None:
            (moved,) = warp_planes([first.planes], first.flow, crew)
        else:
            memory, trust = plan.recall.memory, plan.recall.trust
            before = spots.followed(memory.neighbour.luma, first.flow)
            tremor = difference_stops(before, reference.luma[spots.full], trust[spots.small], levels)
            reference = exposed_by(reference, tremor_stops(tremor, plan.frames_seen), levels, crew)
            grain = Grain.of(reference.luma, reference.bit_depth)
            share = trust * memory_share(grain.mean, plan.recall.still)
            if share.mean() > LEAST_SHARE:
                moved, remembered = warp_planes([memory.reference, memory.neighbour], first.flow, crew, lent=1)
                reference = steady(reference, remembered, share, grain, crew)
            else:
                (moved,) = warp_planes([memory.reference], first.flow, crew)
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
            replace_untrusted(moved, reference, confidence, curve, plausible, levels, crew, reference_is_under=under)
        return reference, moved


def _own(moved: Planes, plan: Plan) -> Planes:
    """A picture that may be written to: what nothing moved is still another's."""
    if moved is plan.first.planes or (plan.recall is not None and moved is plan.recall.memory.reference):
        return Planes(moved.luma.copy(), moved.chroma.copy(), moved.bit_depth)
    return moved
