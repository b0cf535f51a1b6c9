"""Intensity mappings that are steady over the frames of a scene.

The histograms of a pair show two instants: what enters, leaves or is covered between them bends its curves. How one
exposure answers to the other does not change from frame to frame, so the curves are averaged over the pairs that follow
one another, at each code value by how many pixels spoke for it. What may differ between pairs is how far apart their
exposures are, since exposures tremble: by so much the steady curves are shifted for each pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.alignment.intensity import Curves, IntensityMapping, estimate_curves
from stages.alignment.levels import Levels
from stages.frame import ExposurePair, PixelArray

_KEPT_SHARE = 0.8
"""Of the evidence, from one pair to the next: some five pairs count."""
_MID_TONES = (0.12, 0.8)
"""Of the range from black to white: where noise and saturation leave a ratio alone."""
_LEAST_EVIDENCE = 0.02
"""Share of the pixels that must be mid-tones in over, to tell how far apart the exposures are."""
_AGREEING = (0.25, 0.75)
"""Quantiles between which evidence may differ."""
_ENCODING = 1 / 2.2
_TREMOR_STOPS = 0.6
"""Exposures that differ by more are meant to."""
_ONE_SCENE = 0.04
"""Of the range from black to white: curves of one scene differ by less in the mean."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the pairs of a scene have shown so far."""

    curves: Curves
    index: int
    """Of the last pair."""
    ratio_stops: float
    shape: tuple[int, ...]
    levels: Levels

    def precedes(self, pair: ExposurePair, levels: Levels) -> bool:
        """Whether the pair's neighbour is the last reference, of the same size, depth and exposures."""
        return (
            self.index == pair.neighbour.index
            and self.index < pair.index
            and self.shape == pair.reference.planes.luma.shape
            and self.levels == levels
            and abs(pair.ratio_stops - self.ratio_stops) <= _TREMOR_STOPS
        )


class MappingTracker:
    """Follows the intensity mapping of a stream of pairs.

    Nothing of what was seen before survives a cut, a gap, another size or depth, another exposure, or a pair whose
    curves are those of another scene.
    """

    def __init__(self) -> None:
        self._known: _Known | None = None

    def follow(self, pair: ExposurePair, under: PixelArray, over: PixelArray) -> IntensityMapping:
        """The mapping of the next pair.

        Args:
            pair: tells whether it follows the one before.
            under: its (h, w) luma code values, any subsampling of the frame.
            over: the same of the longer exposure.
        """
        planes = pair.reference.planes
        levels = Levels.of(pair.reference.color, planes.bit_depth)
        known = self._known
        mapping = curves = estimate_curves(under, over, planes.bit_depth)
        if known is not None and known.precedes(pair, levels):
            stops = _apart_stops(known.curves, curves, levels)
            is_tremor = abs(stops) <= _TREMOR_STOPS
            if is_tremor and _distance(_shifted(known.curves, stops, levels), curves) <= _ONE_SCENE * levels.span:
                curves = _mean(known.curves, _shifted(curves, -stops, levels))
                mapping = _shifted(curves, stops, levels)
        self._known = _Known(curves, pair.index, pair.ratio_stops, planes.luma.shape, levels)
        return mapping.rounded()


def _apart_stops(known: Curves, curves: Curves, levels: Levels) -> float:
    """By how much more the exposures of a pair are apart than those of the pairs before; 0 where too little tells.

    Another exposure changes all of a curve, another thing in the picture a part of it: what counts is what three
    quarters of the evidence agree on.
    """
    low, high = (levels.black + share * levels.span for share in _MID_TONES)
    before, now = known.codes[0], curves.codes[0]
    telling = (np.minimum(before, now) > low) & (np.maximum(before, now) < high)
    evidence = np.minimum(known.evidence[0], curves.evidence[0])[telling]
    if evidence.sum() < _LEAST_EVIDENCE:
        return 0.0
    stops = np.log2((now[telling] - levels.black) / (before[telling] - levels.black)) / _ENCODING
    order = np.argsort(stops)
    ranks = np.cumsum(evidence[order]) / evidence.sum()
    lower, upper = np.interp(_AGREEING, ranks, stops[order])
    return float(np.clip(0.0, lower, upper))


def _shifted(curves: Curves, stops: float, levels: Levels) -> Curves:
    """The same with exposures further apart: encoded signals follow a power law, so under's differ by a factor."""
    gain = 2 ** (stops * _ENCODING)
    source = np.arange(curves.codes.shape[1], dtype=np.float64)
    to_over = np.interp(levels.black + (source - levels.black) * gain, source, curves.codes[0])
    lowered = levels.black + (curves.codes[1] - levels.black) / gain
    return Curves(np.stack([to_over, np.clip(lowered, 0, source[-1])]), curves.evidence)


def _distance(known: Curves, curves: Curves) -> float:
    """Mean difference in code values where both have seen something."""
    evidence = np.minimum(known.evidence, curves.evidence)
    return float(np.average(np.abs(known.codes - curves.codes), weights=evidence))


def _mean(known: Curves, curves: Curves) -> Curves:
    """Of what was known and what is new."""
    kept = _KEPT_SHARE * known.evidence
    evidence = kept + curves.evidence
    codes = (kept * known.codes + curves.evidence * curves.codes) / evidence
    return Curves(np.maximum.accumulate(codes, axis=1), evidence)
