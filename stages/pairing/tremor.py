"""By how much the first frames of a stream are exposed more or less than they should be.

Exposures tremble, and what follows evens them out by what came before them. Before the first frames nothing came; but a
stream is paired only once some frames of it are held, and those tell one another's exposures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_TREMOR_STOPS = 0.1
"""Standard deviation of exposures from the ones they were meant to be ..."""
_MEASUREMENT_STOPS = 0.06
"""... and of a shift from frame to frame from what is measured of it, before a camera that pans fast."""


def tremors_stops(shifts_stops: Sequence[float]) -> npt.NDArray[np.float64]:
    """By how many stops each frame is exposed more than the others of its exposure.

    A shift is made of four things: the ratio of the exposures; the tremors of both frames; the light of what a camera
    that pans brings into view, taken for steady; and what is measured amiss. The likeliest tremors are found by least
    squares with Gaussian priors (ridge regression).

    Args:
        shifts_stops: from each of the frames, whose exposures alternate, to the next; three at least.

    Returns:
        One for each frame, one more than there are shifts; they shrink to 0 the less the shifts agree with one another.
    """
    steps = len(shifts_stops)
    frames = steps + 1
    sign = np.where(np.arange(steps) % 2, -1.0, 1.0)
    # Unknown: the tremors, the ratio (signed as the first shift), what a frame brings into view.
    made_of = np.column_stack([np.diff(np.eye(frames), axis=0), sign, np.ones(steps)])
    prior = np.diag([(_MEASUREMENT_STOPS / _TREMOR_STOPS) ** 2] * frames + [0.0, 0.0])
    found = np.linalg.solve(made_of.T @ made_of + prior, made_of.T @ np.asarray(shifts_stops, np.float64))
    return np.asarray(found[:frames])
