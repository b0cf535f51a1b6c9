"""Where an open shutter let the light of bright things flood what lies beside them.

Before a camera that pans, the over frame shows a window wider than it is, and nothing of the wall beside it. Fused with
the under frame, which shows both sharply, that makes a second edge around the window. So there the under frame, lifted,
stands in for the over frame. What smears without being white stays: both frames still show something of it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.alignment.camera import Picture
from stages.compiling import kernel

Flooded = npt.NDArray[np.float32]
"""(h, w) in [0, 1]; 1 = all of the over frame's light came from elsewhere."""

_BRIGHTER = np.float32(10), np.float32(30)
"""Of 255: the over frame shows what the under frame does up to the first, other light from the second."""
_EXPLAINED = np.float32(10), np.float32(30)
"""Of 255: smear is what made it so up to the first, not from the second."""
_SOFTENING = (3, 3)
"""Pixels that are drawn in around, and over which the map fades out."""


def flooded_map(
    over: Picture,
    sharp: Picture,
    smeared: Picture,
    trust: npt.NDArray[np.float32],
    *,
    reach_px: int,
    white: tuple[np.float32, np.float32],
) -> Flooded:
    """(h, w) in [0, 1]: where the over frame shows light that an open shutter brought there.

    Args:
        over: frame.
        sharp: under frame on its grid, in its intensities.
        smeared: the same as an open shutter smears it.
        trust: (h, w) in [0, 1] that both frames show the same.
        reach_px: how far light was brought at most.
        white: code values from which something begins to flood, and from which it does so fully.
    """
    flooded = np.empty(over.shape, np.uint8)
    source = cv2.dilate(sharp, np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8))
    _find(over, sharp, smeared, np.asarray(source, np.uint8), white, flooded)
    grown = cv2.blur(cv2.dilate(flooded, np.ones(_SOFTENING, np.uint8)), _SOFTENING)
    return np.asarray(trust * grown * np.float32(1 / 255), np.float32)


@kernel
def _find(
    over: Picture,
    sharp: Picture,
    smeared: Picture,
    source: Picture,
    white: tuple[np.float32, np.float32],
    flooded: npt.NDArray[np.uint8],
) -> None:
    nearly, fully = white
    least, most = _BRIGHTER
    near, far = _EXPLAINED
    for y in range(flooded.shape[0]):
        for x in range(flooded.shape[1]):
            shown = np.float32(over[y, x])
            brighter = (shown - np.float32(sharp[y, x]) - least) / (most - least)
            explained = (far - abs(shown - np.float32(smeared[y, x]))) / (far - near)
            floods = (np.float32(source[y, x]) - nearly) / (fully - nearly)
            share = np.float32(1)
            for condition in (brighter, explained, floods):
                share *= min(max(condition, np.float32(0)), np.float32(1))
            flooded[y, x] = np.int32(np.float32(255) * share + np.float32(0.5))
